import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { digits, median } from './report.ts'
import { temporaryFolder } from './seed.ts'

/** The machine in one line, without a name. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.replace(/\s+/g, ' ').trim()
  return [
    `${availableParallelism()} cores${model ? ` (${model})` : ''}`,
    `${Math.round(totalmem() / 2 ** 30)} GB of memory`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
    `SQLite ${process.versions.sqlite}`,
    `an fsync of 4 kB takes ${digits(measureSync())} ms`,
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
