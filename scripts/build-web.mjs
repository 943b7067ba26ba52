// Builds the web app of src/web into build/web, with each file also compressed. `npm start` does it when a source is newer than the build.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const root = fileURLToPath(new URL('..', import.meta.url))
const output = join(root, 'build/web')

/** The folders and files that the build reads. A folder has the time at which a file in it was last added or removed. */
const sources = ['src/web', 'src/client', 'src/quick-add', 'src/core', 'package-lock.json', 'scripts/build-web.mjs']

/** Whether there is a build, and no source is newer. */
export function isBuilt() {
  const page = join(output, 'index.html')
  return existsSync(page) && newestIn(sources.map((name) => join(root, name))) <= statSync(page).mtimeMs
}

function newestIn(paths) {
  let newest = 0
  for (const path of paths) {
    const stat = statSync(path)
    newest = Math.max(newest, stat.mtimeMs)
    if (stat.isDirectory()) newest = Math.max(newest, newestIn(readdirSync(path).map((name) => join(path, name))))
  }
  return newest
}

/** Builds beside the previous build, and replaces it when all is done: a running server never sees half of one. */
export async function buildWeb() {
  const { build } = await import('vite')
  const folder = `${output}.${process.pid}`
  await build({
    root: join(root, 'src/web'),
    configFile: false,
    // Relative addresses: the app also runs below a path of a proxy.
    base: './',
    logLevel: 'warn',
    publicDir: false,
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2024',
      modulePreload: { polyfill: false },
      // A data: address would need an exception in the content security policy.
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  })
  compressIn(join(folder, 'assets'))
  rmSync(output, { recursive: true, force: true })
  renameSync(folder, output)
}

/** Below a kilobyte a compressed file saves no packet. */
const minBytes = 1_000

function compressIn(folder) {
  for (const name of readdirSync(folder).filter((name) => /\.(js|css|svg)$/.test(name))) {
    const path = join(folder, name)
    const text = readFileSync(path)
    if (text.length < minBytes) continue
    writeFileSync(`${path}.gz`, gzipSync(text, { level: 9 }))
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length }
    writeFileSync(`${path}.br`, brotliCompressSync(text, { params }))
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildWeb()
