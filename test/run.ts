import { spawn, spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { isReachable, servers, type TestDatabase } from '#support/databases.ts'
import { parseSample, sampleOfCommit } from './crashes/sample.ts'

/**
 * Runs the tests: all of them on the embedded database, then those that speak to a database on every server that answers. One that
 * does not is skipped, visibly; under CI=true it is a failure. The last line counts all runs together.
 */
const everything = ['src/**/*.test.ts', 'test/**/*.test.ts']
/**
 * Which tests run on each database; the others need none, or bring their own. Those of test/crashes take minutes on a server: all of
 * them run there by `npm run test:crashes`. The model of test/property takes claims for free after a crash, which is so only where one
 * process has the database.
 */
const onDatabases = ['test/store', 'test/api', 'test/journeys', 'test/faults'].map((room) => `${room}/*.test.ts`)
const embeddedOnly =
  /\/(database-away|replicas|start|start-time-zone|sqlite|sqlite-file|storage|full-disk|damaged|kill|canaries-alone|shutdown|slow-connections|docs|sign-in-pages|refusals|closed-door|import-map)\.test\.ts$/

/** Another eighth of the crashes at each commit; the same again for the same commit. */
const { stdout: commit } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' })
const { part, of } = /^[0-9a-f]{40}/.test(commit ?? '') ? sampleOfCommit(commit, 8) : parseSample(undefined)
const crashSample = `${part}/${of}`

const only = process.argv.slice(2).flatMap((pattern) => globSync(pattern))
const counts = { pass: 0, fail: 0, skipped: 0, cancelled: 0 }
let hasFailed = false

/**
 * What kills processes, cuts connections and waits for what comes of it, one file after the other: beside others it would find a machine
 * that is slower than it has reason to be. All else is on a clock of its own, and shares the machine.
 */
const alone = /(^|\/)test\/faults\//

async function run(database: TestDatabase, files: readonly string[]): Promise<void> {
  console.log(`\n── tests on ${database}\n`)
  const shared = files.filter((file) => !alone.test(file))
  if (shared.length > 0) await runFiles(database, shared, availableParallelism())
  const others = files.filter((file) => alone.test(file))
  if (others.length > 0) await runFiles(database, others, 1)
}

async function runFiles(database: TestDatabase, files: readonly string[], atOnce: number): Promise<void> {
  const options = [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${atOnce}`,
    // Of a file as a whole. All crashes of one file take minutes on a busy server.
    `--test-timeout=${only.length > 0 ? 3_600_000 : 300_000}`,
  ]
  const child = spawn(process.execPath, [...options, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { CRASH_SAMPLE: crashSample, ...process.env, TEST_DATABASE: database },
  })
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    const [, name, value] = /^ℹ (pass|fail|skipped|cancelled) (\d+)$/.exec(line) ?? []
    if (name) counts[name as keyof typeof counts] += Number(value)
  }
  if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
  if (child.exitCode !== 0) hasFailed = true
}

await run('sqlite', only.length > 0 ? only : globSync(everything))
for (const database of Object.keys(servers) as (keyof typeof servers)[]) {
  if (await isReachable(database)) {
    const files = only.length > 0 ? only : globSync(onDatabases)
    // What is named is run, wherever it belongs.
    await run(database, only.length > 0 ? files : files.filter((file) => !embeddedOnly.test(file)))
  } else if (process.env.CI === 'true') {
    console.log(`\n✖ ${database}: no server answers, and CI is to have one`)
    counts.fail++
    hasFailed = true
  } else {
    console.log(
      `\n﹣ ${database}: skipped, since no server answers at ${servers[database].replace(/.*@/, '').replace(/\/.*/, '')}`,
    )
    counts.skipped++
  }
}
const failed = counts.fail + counts.cancelled
console.log(`\n${counts.pass} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`)
process.exitCode = hasFailed ? 1 : 0
