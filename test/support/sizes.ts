/**
 * How much is done of what could go on for ever. `npm test` takes a sample, `npm run test:full` (TEST_FULL=1) takes all; a variable of its own
 * sets one of them. The sample of the crashes is in test/crashes/sample.ts.
 */
const isFull = process.env.TEST_FULL === '1'
const size = (name: string, sample: number, all: number) => Number(process.env[name] ?? (isFull ? all : sample))

export const sizes = {
  /** Kills of a server under load. */
  kills: size('TORTURE_KILLS', 5, 200),
  /** Rounds in which replicas are killed and frozen, 25 s each. */
  replicaRounds: size('TORTURE_ROUNDS', 1, 5),
  /** Requests that nobody thought of. By fewer than 6,000 too few operations succeed for the answers to mean much. */
  fuzzRequests: size('FUZZ_RUNS', 6_000, 50_000),
  /** Lives of a server against the model of the bell. */
  lives: size('PROPERTY_RUNS', 50, 1_000),
  /** Texts for quick add that no person wrote. */
  quickAddTexts: size('QUICK_ADD_TEXTS', 3_000, 100_000),
  /** Edits of one version by two clients. */
  races: size('RACES', 200, 1_000),
}
