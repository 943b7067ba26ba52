/**
 * Rows that cannot be read. Each is left out for a minute, so that it does not block the rows behind it, and is then tried again: a second
 * read may succeed.
 */
export interface SetAside {
  /** @returns whether it is the first time */
  add(id: number, now: number): boolean
  /** The rows that are left out now. */
  ids(now: number): number[]
  /** When the first of them is tried again; infinity if there is none. */
  nextAt(now: number): number
}

const asideMs = 60_000

export function createSetAside(): SetAside {
  const untilOf = new Map<number, number>()
  // A clock that was set back must not delay the next try.
  const isAside = (until: number, now: number) => until > now && until <= now + asideMs
  return {
    add(id, now) {
      const isNew = !untilOf.has(id)
      untilOf.set(id, now + asideMs)
      return isNew
    },
    ids(now) {
      const ids: number[] = []
      for (const [id, until] of untilOf) if (isAside(until, now)) ids.push(id)
      return ids
    },
    nextAt(now) {
      let next = Number.POSITIVE_INFINITY
      for (const until of untilOf.values()) if (isAside(until, now)) next = Math.min(next, until)
      return next
    },
  }
}
