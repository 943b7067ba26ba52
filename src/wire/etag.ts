import { Problem } from '#core/problem.ts'

export function toEtag({ version }: { version: number }): string {
  return `"${version}"`
}

/**
 * The ETag of a collection: the number of its user's last change. To be read before the collection itself: one that is older than
 * what it stands for costs a reader one more look, one that is newer would hide a change.
 *
 * With its user: two people who sign in to one browser one after the other ask for the same address, and where both have come to the
 * same number, a 304 would show the one what the browser has kept of the other.
 */
export function toCollectionEtag(userId: number, lastChange: number): string {
  return `"c${lastChange}.${userId}"`
}

/**
 * What an If-Match header allows of a collection: the number of its last change. Without a user, as ETags once were, it is the caller's.
 * @throws Problem `malformed`, `stale` for another user's
 */
export function parseCollectionIfMatch(userId: number, header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const [, number, user = userId] = /^\s*"c(\d{1,15})(?:\.(\d{1,15}))?"\s*$/.exec(header) ?? []
  if (number === undefined) throw new Problem('malformed', 'If-Match must be the ETag of the list, like "c12.1", or *.')
  if (Number(user) !== userId) throw new Problem('stale', 'The ETag in If-Match is not one of this list.')
  return Number(number)
}
