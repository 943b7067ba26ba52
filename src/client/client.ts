import type {
  NotificationWire,
  SnoozeWire,
  TaskDraftWire,
  TaskPatchesWire,
  TaskPatchWire,
  TaskWire,
} from '#http/shapes.ts'
import { type ClientOptions, type Condition, createCall } from './call.ts'

export type { ClientOptions, Condition } from './call.ts'
export { type ProblemDocument, ProblemError } from './problem-error.ts'
export { verifyWebhook, WebhookError, type WebhookEvent } from './webhook.ts'

export interface TaskPage {
  tasks: TaskWire[]
  next_cursor: string | null
}

export interface NotificationPage {
  notifications: NotificationWire[]
  next_cursor: string | null
}

export type DuebellClient = ReturnType<typeof createClient>

/**
 * The API from the other side. Names on the wire stay as they are.
 * @param baseUrl of the server, `http://127.0.0.1:8888`
 * @throws ProblemError from every method, when the server refuses; what fetch throws, when none answers
 */
export function createClient(baseUrl: string, options: ClientOptions = {}) {
  const call = createCall(baseUrl, options)

  const withQuery = (path: string, query: object) => {
    const entries = Object.entries(query).filter(([, value]) => value !== undefined)
    return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries.map(([k, v]) => [k, String(v)]))}`
  }

  return {
    health: () => call<{ status: string; version: string }>('GET', '/v1/health'),
    list: (query: { limit?: number; offset?: number; cursor?: string } = {}) =>
      call<TaskPage>('GET', withQuery('/v1/tasks', query)),
    /** Every task, following `next_cursor`. */
    async *iterate(limit = 1_000): AsyncGenerator<TaskWire> {
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: TaskPage = await call('GET', withQuery('/v1/tasks', { limit, cursor }))
        yield* page.tasks
        cursor = page.next_cursor
      }
    },
    create: (task: TaskDraftWire) => call<TaskWire>('POST', '/v1/tasks', task),
    get: (id: number) => call<TaskWire>('GET', `/v1/tasks/${id}`),
    update: (id: number, patch: TaskPatchWire, condition?: Condition) =>
      call<TaskWire>('PATCH', `/v1/tasks/${id}`, patch, condition),
    updateMany: (tasks: TaskPatchesWire['tasks']) =>
      call<{ tasks: TaskWire[]; missing: number[] }>('PUT', '/v1/tasks', { tasks }),
    delete: (id: number, condition?: Condition) =>
      call<{ id: number; deleted_dt: string }>('DELETE', `/v1/tasks/${id}`, undefined, condition),
    deleteAll: () => call<{ deleted: number }>('DELETE', '/v1/tasks'),
    complete: (id: number, condition?: Condition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/complete`, undefined, condition),
    reopen: (id: number, condition?: Condition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/reopen`, undefined, condition),
    snooze: (id: number, snooze: SnoozeWire, condition?: Condition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/snooze`, snooze, condition),
    notifications: (query: { limit?: number; cursor?: string } = {}) =>
      call<NotificationPage>('GET', withQuery('/v1/notifications', query)),
    notification: (id: number) => call<NotificationWire>('GET', `/v1/notifications/${id}`),
    taskNotifications: (id: number, query: { limit?: number; cursor?: string } = {}) =>
      call<NotificationPage>('GET', withQuery(`/v1/tasks/${id}/notifications`, query)),
  }
}
