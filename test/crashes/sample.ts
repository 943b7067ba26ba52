/**
 * The statements at which a run crashes: part `k` of `n`, as `CRASH_SAMPLE=k/n`. All of them are 1,500 crashes and 400 s of CPU, so
 * `npm test` takes a sixteenth. test/run.ts takes another part at each commit; `npm run test:full` and `npm run test:crashes` take all.
 */
export interface Sample {
  /** 1 to `of`. */
  readonly part: number
  readonly of: number
}

export const parts = 16

/** @throws Error for a text other than `k/n` with 1 ≤ k ≤ n */
export function parseSample(text: string | undefined): Sample {
  if (text === undefined) return { part: 1, of: parts }
  const [, part, of] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? []
  if (!part || !of || part > of) throw new Error(`CRASH_SAMPLE must be a part of a whole, such as 3/8, not «${text}»`)
  return { part, of }
}

/** For runs of few statements: a quarter of them, where others take a sixteenth. */
export const quarterOf = ({ part, of }: Sample): Sample =>
  of <= 4 ? { part, of } : { part: ((part - 1) % 4) + 1, of: 4 }

/** The numbers of the statements in a sample: 3, 11, 19 … for 3/8, without an end. */
export function* statementsOf({ part, of }: Sample): Generator<number> {
  for (let n = part; ; n += of) yield n
}

/** The sample of a commit: as many commits in a row as there are parts are likely to cover most statements. */
export function sampleOfCommit(commit: string, of: number): Sample {
  return { part: (Number.parseInt(commit.slice(0, 8), 16) % of) + 1, of }
}
