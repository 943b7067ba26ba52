// Installs what package-lock.json names, if that has not been done. Runs before everything else, so it runs on whatever Node
// the machine has (20 or newer) and uses nothing but Node.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = `${root}node_modules/.duebell-installed`
const wanted = readFileSync(`${root}package-lock.json`, 'utf8')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  console.error('Installing what Duebell needs; this happens once ...')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32', // npm is a .cmd there
  })
  if (status !== 0) {
    console.error('npm ci failed: see above.')
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
}
