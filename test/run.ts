import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { compileCache } from '#kit/server-process.ts'
import { isReachable, servers, type TestDatabase } from '#support/databases.ts'
import type { Cost } from './costs.ts'
import { parts, sampleOfCommit } from './crashes/sample.ts'
import { filesFor, type Phase, phases, rank } from './plan.ts'

/**
 * Runs the tests by test/plan.ts: on SQLite, and on every available database server. A missing one is skipped, visibly; under CI=true it is
 * a failure. The last line counts all tests.
 *
 * run.ts           the quick run, of minutes
 * run.ts --full    everything, on every database
 * run.ts FILE…     these files, on every database, a process each
 */
const startedAt = performance.now()
const isFull = process.argv.includes('--full')
const named = process.argv
  .slice(2)
  .filter((argument) => argument !== '--full')
  .flatMap((pattern) => globSync(pattern))

/**
 * The samples of the tests: others at each commit, the same again for the same commit. Files named as arguments take all (test/sizes.ts).
 */
function samples(): Record<string, string> {
  if (isFull) return { CRASH_SAMPLE: '1/1', TEST_FULL: '1' }
  const { stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' })
  const commit = /^[0-9a-f]{40}/.test(stdout ?? '') ? stdout : '00000000' // an archive has none
  const { part, of } = sampleOfCommit(commit, parts)
  return { CRASH_SAMPLE: `${part}/${of}`, ...(named.length === 0 && { TEST_PART: String(part) }) }
}

/** Files that one process runs, one after the other. */
interface Job {
  readonly database: TestDatabase
  readonly files: readonly string[]
}

interface Result {
  readonly job: Job
  readonly counts: Record<'pass' | 'fail' | 'skipped' | 'cancelled', number>
  /** The reporter's summary of its failures. */
  readonly failures: string
  readonly costs: readonly Cost[]
}

const folder = mkdtempSync(join(tmpdir(), 'duebell-run-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const environment = { ...samples(), ...process.env }
let jobs = 0

/** Runs one process and prints its output once it has ended: several run at once. */
async function run(job: Job): Promise<Result> {
  const costsPath = join(folder, `${jobs++}.json`)
  const options = [
    ...[...compileCache, '--import', './test/costs.ts', '--test', '--test-reporter=spec'],
    '--test-isolation=none',
    // The timeout of a test. All crashes of one scenario take minutes on a busy server.
    `--test-timeout=${isFull || named.length > 0 ? 3_600_000 : 300_000}`,
  ]
  const child = spawn(process.execPath, [...options, ...job.files], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, TEST_DATABASE: job.database, TEST_COSTS: costsPath },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  const [report = '', failures = ''] = text.split('\n✖ failing tests:\n')
  const counts = { pass: 0, fail: 0, skipped: 0, cancelled: 0 }
  for (const [, name, value] of report.matchAll(/^ℹ (pass|fail|skipped|cancelled) (\d+)$/gm))
    counts[name as keyof typeof counts] = Number(value)
  const summary = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+\n?/gm
  console.log(`\n── ${job.database}: ${describe(job)}\n\n${report.replace(summary, '').trimEnd()}`)
  if (code === 0 || counts.fail + counts.cancelled > 0) return { job, counts, failures, costs: readCosts(costsPath) }
  const broken = `\n✖ the process of ${job.files.join(' ')} ended with ${code ?? signal}\n${report.slice(-2_000)}`
  return { job, counts: { ...counts, fail: 1 }, failures: broken, costs: readCosts(costsPath) }
}

const describe = ({ files }: Job) => (files.length === 1 ? files[0] : `${files[0]} to ${files.at(-1)}`)

/** A process that was killed has none. */
function readCosts(path: string): Cost[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Cost[]
  } catch {
    return []
  }
}

function jobsOf({ has, filesOfProcess }: Phase, database: TestDatabase, files: readonly string[]): Job[] {
  const bySize = Map.groupBy(files.filter(has), (file) => (named.length > 0 ? 1 : filesOfProcess(file)))
  return [...bySize].flatMap(([size, same]) => {
    const length = Math.ceil(same.length / size)
    return Array.from({ length }, (_, i) => ({ database, files: same.slice(i * size, (i + 1) * size) }))
  })
}

async function runAll(queue: Job[], atOnce: number): Promise<Result[]> {
  const results: Result[] = []
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) results.push(await run(job))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}

const databases: TestDatabase[] = ['sqlite']
const missing: string[] = []
for (const database of Object.keys(servers) as (keyof typeof servers)[]) {
  if (await isReachable(database)) databases.push(database)
  else missing.push(`${database}: no server answers at ${new URL(servers[database]).host}`)
}

const results: Result[] = []
for (const phase of phases) {
  // Files named as arguments run, whatever their phase.
  const queue = databases
    .flatMap((database) => jobsOf(phase, database, named.length > 0 ? named : filesFor(database, isFull)))
    .sort((one, other) => rank(one.files) - rank(other.files))
  if (queue.length > 0) console.log(`\n── tests ${phase.name}`)
  results.push(...(await runAll(queue, phase.atOnce(availableParallelism()))))
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1)
const costs = results.flatMap(({ job, costs }) => costs.map(({ file, ms }) => ({ database: job.database, file, ms })))
console.log('\n── the files that cost most, in seconds of CPU\n')
for (const { database, file, ms } of costs.toSorted((a, b) => b.ms - a.ms).slice(0, 10))
  console.log(`${seconds(ms).padStart(7)}  ${relative('', file)} on ${database}`)
for (const database of databases) {
  const total = costs.filter((cost) => cost.database === database).reduce((sum, { ms }) => sum + ms, 0)
  console.log(`${seconds(total).padStart(7)}  all on ${database}, without the server itself`)
}

const isCi = process.env.CI === 'true'
for (const { job, failures } of results)
  if (failures !== '') console.log(`\n✖ failing tests on ${job.database}:\n${failures}`)
for (const reason of missing) console.log(isCi ? `\n✖ ${reason}, and CI is to have one` : `\n﹣ ${reason}: skipped`)
const total = (name: keyof Result['counts']) => results.reduce((sum, { counts }) => sum + counts[name], 0)
const failed = total('fail') + total('cancelled') + (isCi ? missing.length : 0)
const skipped = total('skipped') + (isCi ? 0 : missing.length)
const tookS = Math.round((performance.now() - startedAt) / 1_000)
console.log(`\n${isFull ? 'Everything' : 'It'} took ${Math.floor(tookS / 60)} min ${tookS % 60} s.`)
console.log(`${total('pass')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
