import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { digits, median } from './report.ts'
import { temporaryFolder } from './seed.ts'

/** The machine in one line, without its name. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.replace(/\s+/g, ' ').trim()
  return [
    `${availableParallelism()} cores${model ? ` (${model})` : ''}`,
    `${Math.round(totalmem() / 2 ** 30)} GB of memory`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
    `SQLite ${process.versions.sqlite}`,
    `an fsync of 4 kB takes ${digits(measureSync())} ms, a read of memory ${digits(measureMemory())} ns`,
  ].join(', ')
}

function measureSync(): number {
  using folder = temporaryFolder()
  const file = openSync(join(folder.path, 'sync'), 'w')
  const page = Buffer.alloc(4_096, 1)
  const taken = Array.from({ length: 200 }, () => {
    const startedAt = performance.now()
    writeSync(file, page)
    fsyncSync(file)
    return performance.now() - startedAt
  })
  closeSync(file)
  return median(taken)
}

/**
 * Measures, in ns, a read of 64 MB of memory that cannot begin before the previous one has ended. It shows the state of shared machines:
 * the same two cores took 190 ns on a day when a bare Fastify answered a third of its usual rate.
 */
function measureMemory(): number {
  const cells = 2 ** 24
  const next = new Int32Array(cells)
  for (let i = 0; i < cells; i++) next[i] = i
  // Sattolo's shuffle makes a single circle, so that no read finds its memory already cached.
  for (let i = cells - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * i)
    const other = next[j] as number
    next[j] = next[i] as number
    next[i] = other
  }
  const steps = 1_000_000
  let at = 0
  const taken = Array.from({ length: 5 }, () => {
    const startedAt = performance.now()
    for (let i = 0; i < steps; i++) at = next[at] as number
    return ((performance.now() - startedAt) * 1e6) / steps
  })
  if (at < 0) throw new Error('the reads were left out')
  return median(taken)
}
