/**
 * The sizes of exhaustive tests. `npm test` takes a sample, `npm run test:full` (TEST_FULL=1) takes all; a variable of its own sets one of
 * them. The sample of the crashes is in test/crashes/sample.ts.
 */
const isFull = process.env.TEST_FULL === '1'
const size = (name: string, sample: number, all: number) => Number(process.env[name] ?? (isFull ? all : sample))

export const sizes = {
  /** Kills of a server under load. */
  kills: size('TORTURE_KILLS', 5, 200),
  /** Rounds in which replicas are killed and frozen, 25 s each. */
  replicaRounds: size('TORTURE_ROUNDS', 1, 5),
  /** Random requests. With fewer than 6,000 too few operations succeed for the responses to mean much. */
  fuzzRequests: size('FUZZ_RUNS', 6_000, 50_000),
  /** Runs of a server against the model of reminders. */
  lives: size('PROPERTY_RUNS', 50, 1_000),
  /** Random recurrence rules. */
  rules: size('RECURRENCE_RUNS', 3_000, 100_000),
  /** Texts for quick add that no person wrote. */
  quickAddTexts: size('QUICK_ADD_TEXTS', 3_000, 100_000),
  /** Completions of one recurring task by several clients at once. */
  completions: size('COMPLETIONS', 30, 1_000),
  /** Edits of one version by two clients. */
  races: size('RACES', 200, 1_000),
}

/**
 * One of every `of` items, others at the next commit: for planted faults, each of which shows that a checker finds it. `npm test` sets
 * TEST_PART from the commit. A file that runs by itself takes all.
 */
export function sampled<T>(items: readonly T[], of: number): readonly T[] {
  const part = process.env.TEST_PART
  return isFull || part === undefined ? items : items.filter((_, i) => i % of === Number(part) % of)
}
