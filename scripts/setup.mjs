// Installs what package-lock.json names, if that has not been done: what runs the server, and with --dev also what tests and checks it.
// Then builds the web app, if a source of it is newer than the last build.
// Runs before everything else, so it runs on whatever Node the machine has (20 or newer) and uses nothing but Node.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = `${root}node_modules/.duebell-installed`
const lock = readFileSync(`${root}package-lock.json`, 'utf8')
const wanted = (dev) => `${dev ? 'all' : 'runtime'}\n${lock}`

const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
// A start of a developer, after a pull that changed the lock, does not take the packages for tests away.
const isDev = process.argv.includes('--dev') || installed.startsWith('all')
// All packages include those that run the server: a start after a test installs nothing, and removes nothing.
if (installed !== wanted(true) && (isDev || installed !== wanted(false))) {
  const sizes = isDev ? 'about 160 MB to fetch, 400 MB on disk' : 'about 100 MB to fetch, 260 MB on disk'
  const what = isDev ? 'all packages, with those for tests and checks' : 'the packages that run Duebell, with Node 26'
  console.error(`Installing ${what}: ${sizes}, once. This takes a minute or so ...`)
  const args = ['ci', ...(isDev ? [] : ['--omit=dev']), '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32', // npm is a .cmd there
  })
  if (status !== 0) {
    console.error('npm ci failed: see above.')
    process.exit(1)
  }
  writeFileSync(stamp, wanted(isDev))
}

// Vite is optional, and it needs a newer Node than this script: the one that was installed runs the build.
if (existsSync(`${root}node_modules/vite`)) {
  const { isBuilt } = await import('./build-web.mjs')
  if (!isBuilt()) {
    const { status } = spawnSync('node', ['scripts/build-web.mjs'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    })
    // Reminders matter more than the page: the server starts all the same, and says there what is missing.
    if (status !== 0) console.error('The web app could not be built: see above. The server runs without it.')
  }
}
