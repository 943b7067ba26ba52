import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '#support/databases.ts'

/** The client runs in browsers, so it must compile with their types alone. Its own types come from src/api, whose files are compiled with it. */
const root = fileURLToPath(new URL('../', import.meta.url))
const compiler = join(root, 'node_modules/typescript/lib/tsc.js')
const project = join(root, 'tsconfig.browser.json')

const compile = (...args: string[]) =>
  new Promise<{ isGood: boolean; lines: string[] }>((resolve) => {
    execFile(process.execPath, [compiler, '--noEmit', '--pretty', 'false', ...args], (error, stdout) =>
      resolve({ isGood: !error, lines: stdout.trim().split('\n') }),
    )
  })

test('the client compiles for browsers, without the types of Node, Fastify or the store', async () => {
  const { isGood, lines } = await compile('-p', project, '--listFiles')
  assert.ok(isGood, lines.join('\n'))
  const sources = lines.filter((line) => line.startsWith(join(root, 'src/'))).map((line) => line.slice(root.length))
  assert.ok(sources.includes('src/client/client.ts') && sources.includes('src/client/webhook.ts'))
  assert.deepEqual(
    sources.filter((file) => !/^src\/(client|api|core)\/|^src\/(json-schema|channels\/settings)\.ts$/.test(file)),
    [],
  )
  const packages = lines.flatMap((line) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(line)?.[1] ?? [])
  assert.deepEqual(
    [...new Set(packages)].filter((name) => !/^(@typescript\/.*|typescript|typebox|eventsource-parser)$/.test(name)),
    [],
  )
})

test('code that needs Node does not compile there', async (t) => {
  const folder = temporaryFolder(t)
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('package.json', '{"type":"module"}')
  write('tsconfig.json', JSON.stringify({ extends: project, include: ['*.ts'], exclude: [] }))
  write('good.ts', "export const url = new URL('http://localhost'), send = fetch, key = crypto.subtle")
  write('process.ts', 'export const env = process.env')
  write('buffer.ts', "export const bytes = Buffer.from('x')")
  write('module.ts', "export { request } from 'node:http'")
  const { lines } = await compile('-p', folder)
  const errors = lines.map((line) => line.replace(/^(?:.*\/)?(\w+\.ts)\(.*?error TS\d+(: [^']+'[^']+').*/, '$1$2'))
  assert.deepEqual(errors.sort(), [
    "buffer.ts: Cannot find name 'Buffer'",
    "module.ts: Cannot find name 'node:http'",
    "process.ts: Cannot find name 'process'",
  ])
})
