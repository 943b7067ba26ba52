/**
 * The page of a list, and its last item if more follow it: the next page begins behind that.
 * @param found read with a limit of one more than the page holds, which shows whether more follow
 */
export function toPage<T>(found: readonly T[], limit: number): { page: readonly T[]; last: T | undefined } {
  const page = found.slice(0, limit)
  return { page, last: found.length > limit ? page.at(-1) : undefined }
}
