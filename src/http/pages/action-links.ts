import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '#actions/context.ts'
import type { ActionLink, ActionLinks, LinkAction } from '#actions/links.ts'
import { acknowledgeNotification } from '#actions/notifications.ts'
import { completeTask, snoozeTask } from '#actions/tasks.ts'
import { Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'
import { toCaller } from '#http/auth/token-cache.ts'
import { findTask } from '#store/tasks.ts'
import { findUser } from '#store/users.ts'
import { sendPage } from './layout.ts'
import { escapeHtml } from './page.ts'

/**
 * The pages of action links in messages. A GET shows the action and one button: mail programs and chats open every link to scan it, and
 * must not complete a task by that. Only a POST performs the action; a second POST changes nothing.
 */
export function linkRoutes(
  server: FastifyInstance,
  { ctx, links, now }: { ctx: Context; links: ActionLinks; now: () => number },
): void {
  const schema = { hide: true, scope: 'none' } as const
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
    if (!user || user.disabledAt !== null) throw new Problem('gone', 'This account has been removed or disabled.')
    const by = { kind: 'link', id: null, name: link.action, object: `/v1/tasks/${link.taskId}` } as const
    request.caller = { ...toCaller(user, null), by }
    const task = await findTask(ctx.db, link.userId, link.taskId)
    if (!task) throw new Problem('not-found', 'The task was deleted.')
    return { link, task }
  }

  server.get<{ Params: { token: string } }>('/a/:token', { schema }, async (request, reply) => {
    try {
      const { link, task } = await read(request)
      const { question, button } = texts[link.action]
      return sendActionPage(reply, 200, { heading: question, text: task.title, button })
    } catch (error) {
      return sendError(reply, error)
    }
  })

  server.post<{ Params: { token: string } }>(
    '/a/:token',
    { schema: { ...schema, operationId: 'actByLink' }, onRequest: acceptForm },
    async (request, reply) => {
      try {
        const { link, task } = await read(request)
        await perform[link.action](link)
        // A user who acts on a notification has seen it.
        await acknowledgeNotification(ctx, { userId: link.userId }, link.notificationId)
        return sendActionPage(reply, 200, { heading: texts[link.action].done, text: task.title })
      } catch (error) {
        return sendError(reply, error)
      }
    },
  )
}

/** The form is empty, but its media type is one that the server rejects elsewhere. */
function acceptForm(request: FastifyRequest, _: FastifyReply, done: () => void): void {
  delete request.headers['content-type']
  done()
}

const texts: Record<LinkAction, { question: string; button: string; done: string }> = {
  complete: { question: 'Complete this task?', button: 'Complete', done: 'The task is completed.' },
  snooze: { question: 'Remind again in an hour?', button: 'Remind in an hour', done: 'You are reminded in an hour.' },
  acknowledge: { question: 'Acknowledge this notification?', button: 'Acknowledge', done: 'Acknowledged.' },
}

const statuses: Partial<Record<Problem['kind'], number>> = { 'not-found': 404, gone: 410, conflict: 409 }

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const status = error instanceof Problem ? statuses[error.kind] : undefined
  if (status === undefined) throw error
  return sendActionPage(reply, status, { heading: 'This cannot be done', text: (error as Problem).message })
}

function sendActionPage(
  reply: FastifyReply,
  status: number,
  { heading, text, button }: { heading: string; text: string; button?: string },
): FastifyReply {
  const form = button === undefined ? '' : `\n<form method="post"><button>${escapeHtml(button)}</button></form>`
  const body = `<h1>${escapeHtml(heading)}</h1>\n<p class="subject">${escapeHtml(text)}</p>${form}`
  // The URL is a key, so no search engine, cache or other site may have it. With `no-referrer` instead of `same-origin` the form would be
  // sent with the origin `null`, like a form of another site.
  const headers = { 'cache-control': 'no-store', 'referrer-policy': 'same-origin', 'x-robots-tag': 'noindex' }
  return sendPage(reply.code(status), { title: heading, body, hasForm: true }, headers)
}
