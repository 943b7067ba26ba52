import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, gzipSync } from 'node:zlib'

/**
 * `node scripts/scalar.ts 1.72.1`: downloads the one file of @scalar/api-reference that the API reference needs, and records its version.
 * As a dependency it would bring 272 packages and 287 MB, three of them with install scripts (docs/decisions/0012).
 */
const [version] = process.argv.slice(2)
if (!/^\d+\.\d+\.\d+$/.test(version ?? '')) throw new Error('which version? node scripts/scalar.ts 1.72.1')
const name = `@scalar/api-reference@${version}`
const folder = mkdtempSync(join(tmpdir(), 'duebell-scalar-'))
try {
  const packed = JSON.parse(
    execFileSync('npm', ['pack', name, '--json', '--pack-destination', folder], { encoding: 'utf8' }),
  )
  // npm compares the archive with its checksum; we record it, so that others can compare ours.
  const { filename, integrity } = Object.values<{ filename: string; integrity: string }>(packed)[0] ?? {}
  if (!filename || !integrity) throw new Error(`npm pack says: ${JSON.stringify(packed)}`)
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', folder, 'package/dist/browser/standalone.js'])
  const script = readFileSync(join(folder, 'package/dist/browser/standalone.js'))
  const sha256 = createHash('sha256').update(script).digest('hex')
  const target = new URL('../src/http/docs/', import.meta.url)
  writeFileSync(new URL('scalar.js.gz', target), gzipSync(script, { level: constants.Z_BEST_COMPRESSION }))
  writeFileSync(
    new URL('scalar.json', target),
    `${JSON.stringify({ name, licence: 'MIT', integrity, sha256 }, null, 2)}\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
