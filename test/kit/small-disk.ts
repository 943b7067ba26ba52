import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface SmallDisk {
  readonly folder: string
  /** Remounts it with other options: `ro`, `size=8m`. */
  remount(options: string): void
}

/**
 * A file system in memory, removed after the test; skips the test if mounting is not permitted. Must be created before any other folder.
 */
export function smallDisk(t: TestContext, size: string): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'duebell-disk-'))
  const mount = (options: string) =>
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'pipe' })
  try {
    mount(`size=${size}`)
  } catch {
    rmdirSync(folder)
    t.skip('mounting a file system is refused here')
    return undefined
  }
  t.after(() => {
    execFileSync('umount', ['--lazy', folder])
    rmdirSync(folder)
  })
  return { folder, remount: (options) => mount(`remount,${options}`) }
}
