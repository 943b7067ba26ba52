import { appendFileSync, readFileSync } from 'node:fs'
import { afterEach } from 'node:test'

/**
 * Loaded before the tests by test/run.ts: appends the cost of each test file to the file that TEST_COSTS names, as one line of JSON for
 * each process. It measures CPU time, since wall time depends more on other work of the machine. Loading modules counts for the first test
 * of a process.
 */
export interface Cost {
  readonly file: string
  readonly ms: number
}

const path = process.env.TEST_COSTS
const spent = new Map<string, number>()
let countedMs = 0

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000 + childrenMs()
}

/** CPU time of ended children, if the system provides it (Linux): cutime and cstime of proc_pid_stat(5), in ticks of 10 ms. */
function childrenMs(): number {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return 10 * (Number(fields[13]) + Number(fields[14]))
  } catch {
    return 0
  }
}

if (path !== undefined) {
  afterEach((t) => {
    const file = ('filePath' in t && t.filePath) || 'unknown'
    const ms = cpuMs()
    spent.set(file, (spent.get(file) ?? 0) + ms - countedMs)
    countedMs = ms
  })
  process.on('exit', () => {
    const costs = [...spent].map(([file, ms]): Cost => ({ file, ms }))
    appendFileSync(path, `${JSON.stringify(costs)}\n`)
  })
}
