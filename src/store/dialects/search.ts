import type { Db } from '#store/schema.ts'

/** Greater than every word with this prefix: no letter is greater than this one. */
export const prefixEnd = (start: string) => `${start}\u{10ffff}`

/** The longest words of a query, usually the rarest, are looked up. */
const maxLookups = 8
/** Most words are rarer than this, so the common ones are not read further on the way to a rare one. */
const firstBound = 200

type Lookup = (db: Db, word: string, max: number) => Promise<number[]>

export async function findByRarestWord(
  lookUp: Lookup,
  db: Db,
  words: readonly string[],
  max: number,
): Promise<number[] | undefined> {
  const longest = words.toSorted((a, b) => b.length - a.length).slice(0, maxLookups)
  for (const bound of [firstBound, max])
    for (const word of longest) {
      const ids = await lookUp(db, word, bound + 1)
      if (ids.length <= bound) return [...new Set(ids)]
    }
  return undefined
}
