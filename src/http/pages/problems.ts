import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import { redactPath } from '#core/redact.ts'
import { answers } from '#http/protocol/problem.ts'
import { addVary } from '#http/protocol/security-headers.ts'
import { escapeHtml, sendPage } from './page.ts'
import { type ProblemPage, problemPages } from './problem-texts.ts'

type Slug = keyof typeof problemPages
const slugs = Object.keys(problemPages) as Slug[]

/** `/problems/<kind>`, the `type` of every problem: what it means and what to do, for a person or, by Accept, in JSON. */
export function problemRoutes(server: FastifyInstance): void {
  server.get<{ Params: { slug: string } }>(
    '/problems/:slug',
    { schema: { hide: true, needs: 'nothing' } },
    async (request, reply) => {
      const slug = slugs.find((one) => one === request.params.slug)
      if (!slug)
        throw new Problem('not-found', `There is no kind of problem of this name. There are: ${slugs.join(', ')}.`)
      addVary(reply, 'accept')
      if (request.headers.accept?.includes('application/json')) return reply.send(describeProblem(slug))
      return sendPage(reply, pageOf(slug), `style-src '${styleHash}'`)
    },
  )

  server.get('/problems', { schema: { hide: true, needs: 'nothing' } }, async (_, reply) =>
    sendPage(reply, listPage(), `style-src '${styleHash}'`),
  )
}

/** A kind of problem, with an example of the very document. */
export function describeProblem(slug: Slug) {
  const { status, title } = answers[slug]
  const { means, remedy, example }: ProblemPage = problemPages[slug]
  const { request, detail, errors } = example
  const problem = {
    type: `/problems/${slug}`,
    title,
    status,
    detail,
    instance: redactPath(request?.path ?? '/v1/tasks'),
    request_id: '5dca3eb0-382f-46db-b39a-5ca46da6e629',
    ...(errors && { errors }),
  }
  return { type: problem.type, title, status, means, remedy, example: { ...(request && { request }), problem } }
}

function pageOf(slug: Slug): string {
  const { title, status, means, remedy, example } = describeProblem(slug)
  const { request, problem } = example
  const asked = request && [
    `${request.method} ${request.path}`,
    ...Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(request.body === undefined ? [] : ['', request.body]),
  ]
  return page(
    title,
    `<p class="type"><a href="/problems">Problems</a> / ${slug}</p>
<h1>${escapeHtml(title)}</h1>
<p class="status">HTTP status ${status}</p>
<h2>What it means</h2>
<p>${escapeHtml(means)}</p>
<h2>What to do</h2>
<p>${escapeHtml(remedy)}</p>
<h2>An example</h2>
${asked ? `<pre>${escapeHtml(asked.join('\n'))}</pre>\n<p>is answered with</p>\n` : ''}<pre>${escapeHtml(JSON.stringify(problem, null, 2))}</pre>`,
  )
}

function listPage(): string {
  const rows = slugs.map((slug) => {
    const { status, title } = answers[slug]
    return `<tr><td>${status}</td><td><a href="/problems/${slug}">${slug}</a></td><td>${escapeHtml(title)}</td></tr>`
  })
  return page(
    'Problems',
    `<h1>Problems</h1>\n<p>Every refusal is a problem document (RFC 9457); its type leads here.</p>\n<table>${rows.join('\n')}</table>`,
  )
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d1b16, #eae6dc); --soft: light-dark(#6b655a, #9d978a); --paper: light-dark(#faf8f3, #171613); --sunk: light-dark(#f0ece2, #22201c); --accent: light-dark(#a03c1b, #f08a5d) }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 system-ui, sans-serif }
main { max-width: 42rem; margin: 0 auto; padding: 3rem 1.25rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 }
h2 { font-size: 1rem; margin: 2rem 0 .25rem }
p { margin: .25rem 0 .75rem }
a { color: var(--accent) }
.type, .status { color: var(--soft) }
pre { background: var(--sunk); padding: .9rem 1rem; border-radius: 6px; overflow-x: auto; font: 14px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
td { padding: .3rem 1rem .3rem 0; vertical-align: top }
`
const styleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · Duebell</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}
