import { Problem } from '#core/problem.ts'

export function toEtag({ version }: { version: number }): string {
  return `"${version}"`
}

/**
 * The ETag of a collection is the number of the user's last change. Read it before the collection: an ETag that is older than its content
 * costs a client one more request, and a newer one would hide a change.
 *
 * It also has the user. Two users may sign in to the same browser one after the other, and request the same address. If both had the same
 * number, a 304 would show one user what the browser has cached for the other.
 */
export function toCollectionEtag(userId: number, lastChange: number): string {
  return `"c${lastChange}.${userId}"`
}

/**
 * Reads the If-Match header of a collection: the number of its last change. An ETag without a user, the earlier form, is the caller's.
 * @throws Problem `malformed`, `stale` for another user's
 */
export function parseCollectionIfMatch(userId: number, header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const [, number, user = userId] = /^\s*"c(\d{1,15})(?:\.(\d{1,15}))?"\s*$/.exec(header) ?? []
  if (number === undefined) throw new Problem('malformed', 'If-Match must be the ETag of the list, like "c12.1", or *.')
  if (Number(user) !== userId) throw new Problem('stale', 'The ETag in If-Match is not one of this list.')
  return Number(number)
}
