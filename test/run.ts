import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { isReachable, servers, type TestDatabase } from '#support/databases.ts'

/**
 * Runs the tests: all of them on the embedded database, then those that speak to a database on every server that answers. One that
 * does not is skipped, visibly; under CI=true it is a failure. The last line counts all runs together.
 */
const everything = ['src/**/*.test.ts', 'test/**/*.test.ts']
/**
 * What is worth a run on each database; the others know none, or bring their own. A crash at every query takes six minutes on a
 * server, which is `npm run test:crashes`; the model of test/property knows of a crash that claims are free after it, which they
 * are not where others share the database.
 */
const onDatabases = ['test/store', 'test/api', 'test/journeys', 'test/faults'].map((room) => `${room}/*.test.ts`)
const embeddedOnly =
  /\/(crash-at-every-query|database-away|replicas|start|sqlite|kill|canaries-alone|shutdown|slow-connections|docs|sign-in-pages|refusals|closed-door|import-map)\.test\.ts$/

const only = process.argv.slice(2)
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
    // Of a file as a whole. A crash at every statement takes a quarter of an hour on a busy server.
    `--test-timeout=${only.length > 0 ? 3_600_000 : 300_000}`,
  ]
  const child = spawn(process.execPath, [...options, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TEST_DATABASE: database },
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
