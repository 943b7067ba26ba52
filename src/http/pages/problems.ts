import type { FastifyInstance } from 'fastify'
import { Problem } from '#core/problem.ts'
import { redactPath } from '#core/redact.ts'
import { problemTypes } from '#http/protocol/problem.ts'
import { addVary } from '#http/protocol/security-headers.ts'
import { type Page, sendPage } from './layout.ts'
import { escapeHtml } from './page.ts'
import { type ProblemText, problemTexts } from './problem-texts.ts'

type Slug = keyof typeof problemTexts
const slugs = Object.keys(problemTexts) as Slug[]

/** `/problems/<kind>`, the `type` of every problem: its meaning and remedy, as a page or, by Accept, as JSON. */
export function problemRoutes(server: FastifyInstance): void {
  const schema = { hide: true, scope: 'none' } as const

  server.get<{ Params: { slug: string } }>('/problems/:slug', { schema }, async (request, reply) => {
    const slug = slugs.find((one) => one === request.params.slug)
    if (!slug) throw new Problem('not-found', `There is no such problem type. The types are: ${slugs.join(', ')}.`)
    addVary(reply, 'accept')
    if (request.headers.accept?.includes('application/json')) return reply.send(problemReference(slug))
    return sendPage(reply, pageOf(slug))
  })

  server.get('/problems', { schema }, async (_, reply) => sendPage(reply, listPage()))
}

/** A problem type, with an example document as the server sends it. */
export function problemReference(slug: Slug) {
  const { status, title } = problemTypes[slug]
  const { means, remedy, example }: ProblemText = problemTexts[slug]
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

function pageOf(slug: Slug): Page {
  const { title, status, means, remedy, example } = problemReference(slug)
  const { request, problem } = example
  const requestLines = request && [
    `${request.method} ${request.path}`,
    ...Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(request.body === undefined ? [] : ['', request.body]),
  ]
  const requestText = requestLines ? `<pre>${escapeHtml(requestLines.join('\n'))}</pre>\n<p>is answered with</p>\n` : ''
  return {
    title,
    isArticle: true,
    body: `<p class="type"><a href="/problems">Problems</a> / ${slug}</p>
<h1>${escapeHtml(title)}</h1>
<p class="status">HTTP status ${status}</p>
<h2>What it means</h2>
<p>${escapeHtml(means)}</p>
<h2>What to do</h2>
<p>${escapeHtml(remedy)}</p>
<h2>Example</h2>
${requestText}<pre>${escapeHtml(JSON.stringify(problem, null, 2))}</pre>`,
  }
}

function listPage(): Page {
  const rows = slugs.map((slug) => {
    const { status, title } = problemTypes[slug]
    return `<tr><td>${status}</td><td><a href="/problems/${slug}">${slug}</a></td><td>${escapeHtml(title)}</td></tr>`
  })
  return {
    title: 'Problems',
    isArticle: true,
    body: `<h1>Problems</h1>
<p>Every error response is a problem document (RFC 9457). Its type links here.</p>
<table>${rows.join('\n')}</table>`,
  }
}
