import { readFileSync } from 'node:fs'
import { startApp } from '#app.ts'
import { systemClock } from '#clock.ts'
import { parseConfig } from '#config/config.ts'

/**
 * A replica as a process of its own, like `duebell serve`, with the times of its deliveries from the command line: a test cannot wait for a
 * lease of 30 s.
 * replica.ts <leaseMs> <sendTimeoutMs> <recordMs> [flags of serve]
 */
const [leaseMs, sendTimeoutMs, recordMs] = process.argv.slice(2, 5).map(Number) as [number, number, number]
const argv = process.argv.slice(5)

const app = await startApp(
  parseConfig({ argv, env: {}, readFile: (path) => readFileSync(path, 'utf8'), systemTimeZone: 'UTC' }),
  {
    clock: systemClock,
    output: process.stdout,
    onBroken: () => process.exit(1),
    deliveryTimes: { leaseMs, sendTimeoutMs, recordMs },
  },
)

const stop = () => app.stop().then(() => process.exit(0))
process.on('SIGTERM', stop)
// A killed test leaves no process behind.
process.stdin.on('end', () => process.exit(1)).resume()
