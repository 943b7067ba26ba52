import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '#actions/context.ts'
import type { ActionLink, ActionLinks, LinkAction } from '#actions/links.ts'
import { acknowledgeNotification } from '#actions/notifications.ts'
import { completeTask, snoozeTask } from '#actions/tasks.ts'
import { Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { toCaller } from '#http/auth/authenticate.ts'
import { findTask } from '#store/tasks.ts'
import { findUser } from '#store/users.ts'
import { escapeHtml, sendPage } from './page.ts'

/**
 * What the links in messages lead to. A GET shows what would be done, and one button: mail programs and chats open every link, to look
 * for harm in it, and must not complete anything by that. Only a POST acts, and twice is once.
 */
export function linkRoutes(
  server: FastifyInstance,
  { ctx, links, now }: { ctx: Context; links: ActionLinks; now: () => number },
): void {
  const schema = { hide: true, needs: 'nothing' } as const
  const snoozeMs = 3_600_000

  const perform: Record<LinkAction, (link: ActionLink) => Promise<unknown>> = {
    complete: ({ userId, taskId }) => completeTask(ctx, { userId }, { id: taskId }),
    snooze: ({ userId, taskId }) => snoozeTask(ctx, { userId }, { id: taskId }, { forMs: snoozeMs }),
    acknowledge: async () => {},
  }

  /** @throws Problem `not-found`, `gone` */
  async function read(
    request: FastifyRequest<{ Params: { token: string } }>,
  ): Promise<{ link: ActionLink; task: Task }> {
    const link = links.parse(request.params.token, now())
    const user = await findUser(ctx.db, link.userId)
    if (!user || user.disabledAt !== null)
      throw new Problem('gone', 'This account is not there any more, or is disabled.')
    const by = { kind: 'link', id: null, name: link.action, object: `/v1/tasks/${link.taskId}` } as const
    request.caller = { ...toCaller(user, null), by }
    const task = await findTask(ctx.db, link.userId, link.taskId)
    if (!task) throw new Problem('not-found', 'The task was deleted.')
    return { link, task }
  }

  server.get<{ Params: { token: string } }>('/a/:token', { schema }, async (request, reply) => {
    try {
      const { link, task } = await read(request)
      const { question, button } = words[link.action]
      return page(reply, 200, question, task.title, `<form method="post"><button>${button}</button></form>`)
    } catch (error) {
      return refusal(reply, error)
    }
  })

  server.post<{ Params: { token: string } }>(
    '/a/:token',
    { schema: { ...schema, operationId: 'actByLink' }, onRequest: passOverForm },
    async (request, reply) => {
      try {
        const { link, task } = await read(request)
        await perform[link.action](link)
        // Whoever has acted has seen it.
        await acknowledgeNotification(ctx, { userId: link.userId }, link.notificationId)
        return page(reply, 200, words[link.action].done, task.title, '')
      } catch (error) {
        return refusal(reply, error)
      }
    },
  )
}

/** The button's form is empty, and of a media type that the rest of the server refuses. */
function passOverForm(request: FastifyRequest, _: FastifyReply, done: () => void): void {
  delete request.headers['content-type']
  done()
}

const words: Record<LinkAction, { question: string; button: string; done: string }> = {
  complete: { question: 'Is this done?', button: 'Yes, it is done', done: 'Done.' },
  snooze: { question: 'Ring again in an hour?', button: 'Ring again in an hour', done: 'It rings again in an hour.' },
  acknowledge: { question: 'Have you seen this?', button: 'I have seen it', done: 'Noted: you have seen it.' },
}

const statuses: Partial<Record<Problem['kind'], number>> = { 'not-found': 404, gone: 410, conflict: 409 }

function refusal(reply: FastifyReply, error: unknown): FastifyReply {
  const status = error instanceof Problem ? statuses[error.kind] : undefined
  if (status === undefined) throw error
  return page(reply, status, 'This cannot be done', (error as Problem).message, '')
}

function page(reply: FastifyReply, status: number, heading: string, text: string, form: string): FastifyReply {
  // The address is a key: no search engine, cache or other site is to have it. `same-origin` and not `no-referrer`, with which the
  // form would be sent from an origin of `null`, as forms of other sites can be.
  const more = { 'cache-control': 'no-store', 'referrer-policy': 'same-origin', 'x-robots-tag': 'noindex' }
  return sendPage(
    reply.code(status),
    html(heading, text, form),
    `style-src '${styleHash}'; img-src data:; form-action 'self'`,
    more,
  )
}

const style = `
:root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }
body { max-width: 30rem; margin: 18vh auto 0; padding: 0 1.5rem; color: light-dark(#1d2330, #e8eaf0); background: light-dark(#fff, #14171f) }
h1 { font-size: 1.1rem; font-weight: 500; color: light-dark(#5b6475, #a0a8b8); margin: 0 0 .5rem }
p { font-size: 1.6rem; line-height: 1.3; font-weight: 600; margin: 0 0 2rem; overflow-wrap: anywhere }
button { font: inherit; font-weight: 600; padding: .8rem 1.6rem; border: 0; border-radius: .6rem; color: #fff; background: #2f5bd8; cursor: pointer }
button:focus-visible { outline: 3px solid light-dark(#9db5ff, #9db5ff); outline-offset: 2px }
`
const styleHash = `sha256-${createHash('sha256').update(style).digest('base64')}`

const html = (heading: string, text: string, form: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(heading)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(heading)}</h1>
<p>${escapeHtml(text)}</p>
${form}
</body>
</html>
`
