import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '#core/problem.ts'
import { addVary } from '#http/protocol/security-headers.ts'
import { sendPage } from './layout.ts'
import { rootOf, sendHtml } from './page.ts'

/** The output of scripts/build-web.mjs. */
const folder = new URL('../../../build/web/', import.meta.url)

/**
 * Scripts and styles of this server alone, and no way from text to script: the browser refuses it, but for a policy that the app calls
 * `duebell`. The app has no inline style and no inline script.
 */
const policy =
  "script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; " +
  "worker-src 'self'; require-trusted-types-for 'script'; trusted-types duebell"

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
}

interface Build {
  readonly page: string
  /** The names in `assets/`, with their compressed forms. Only these are served, so no name can lead out of the folder. */
  readonly names: ReadonlySet<string>
}

let build: Promise<Build | null> | undefined

/** Null without a build; it is looked for again at the next request. */
async function readBuild(): Promise<Build | null> {
  build ??= Promise.all([readFile(new URL('index.html', folder), 'utf8'), readdir(new URL('assets/', folder))]).then(
    ([page, names]) => ({ page, names: new Set(names) }),
    () => null,
  )
  const found = await build
  if (!found) build = undefined
  return found
}

/** The page of the app, for a path at any depth. */
export async function sendApp(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const found = await readBuild()
  if (!found) return sendMissing(reply)
  const root = rootOf(request)
  return sendHtml(reply, root === '' ? found.page : found.page.replaceAll('="./', `="${root}`), policy)
}

const sendMissing = (reply: FastifyReply) =>
  sendPage(reply, {
    title: 'Not built',
    body: `<h1>The web app is not built</h1>
<p>The server runs, and so does its API. Run <strong>npm run build:web</strong> and load this page again.</p>
<p><a href="docs">API reference</a></p>`,
  })

/** A file with a hash in its name: a browser never asks for it again. */
export async function sendAsset(name: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const names = (await readBuild())?.names
  const type = types[name.split('.').at(-1) ?? '']
  if (!names?.has(name) || type === undefined) throw new Problem('not-found', 'There is no such file.')
  const encoding = encodings.find(([code, suffix]) => names.has(name + suffix) && accepts(request, code))
  if (encodings.some(([, suffix]) => names.has(name + suffix))) addVary(reply, 'accept-encoding')
  if (encoding) reply.header('content-encoding', encoding[0])
  reply.header('cache-control', 'public, max-age=31536000, immutable').type(type)
  return reply.send(createReadStream(new URL(`assets/${name}${encoding?.[1] ?? ''}`, folder)))
}

const encodings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

/** Whether a request accepts an encoding by name; q=0 refuses it. */
const accepts = ({ headers }: FastifyRequest, encoding: string): boolean =>
  new RegExp(`\\b${encoding}\\b(?!\\s*;\\s*q=0(?:\\.0*)?\\s*(?:,|$))`).test(headers['accept-encoding'] ?? '')
