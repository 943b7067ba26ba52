import type { Db } from '#store/schema.ts'
/** Above every word that begins so: no letter is as high as that. */
export const prefixEnd = (start: string) => `${start}\u{10ffff}`

/** Words of a query that are looked up, the longest first: they are the rarest as a rule. */
const maxLookups = 8
/** Most are rarer than this: none of the common ones has to be read further than that on the way to the rare one. */
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
