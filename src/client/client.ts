import type {
  NotificationWire,
  SnoozeWire,
  TaskDraftWire,
  TaskPatchesWire,
  TaskPatchWire,
  TaskWire,
} from '#http/shapes.ts'
import type { ChangesWire, EventType, EventWire } from '#http/shapes-events.ts'
import { followStream } from './event-stream.ts'

/** A problem as the server told it (RFC 9457). */
export class ProblemError extends Error {
  readonly status: number
  /** Seconds after which another try makes sense, where the server said so. */
  readonly retryAfter: number | undefined
  readonly problem: {
    readonly type: string
    readonly title: string
    readonly status: number
    readonly detail: string
    readonly instance: string
    readonly request_id: string
    readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[]
    /** With 412: the task as it is now. */
    readonly current?: TaskWire
  }

  constructor(problem: ProblemError['problem'], retryAfter: number | undefined) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.status = problem.status
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

export interface TaskPage {
  tasks: TaskWire[]
  next_cursor: string | null
}

export interface NotificationPage {
  notifications: NotificationWire[]
  next_cursor: string | null
}

export interface Condition {
  /** The version the task must still have. */
  readonly ifVersion?: number
}

export interface EventsQuery {
  readonly types?: readonly EventType[]
  readonly taskId?: number
  /** The cursor of an event or of `changes`; without it, what happens from now on. */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** What came before is not told any more: load the tasks again by `changes`. What follows goes on from here. */
export interface Reset {
  readonly type: 'reset'
  readonly cursor: string
}

export type DuebellClient = ReturnType<typeof createClient>

/**
 * The API from the other side. Names on the wire stay as they are.
 * @param baseUrl of the server, `http://127.0.0.1:8888`
 * @throws ProblemError from every method, when the server refuses
 */
export function createClient(baseUrl: string) {
  async function call<T>(method: string, path: string, body?: unknown, { ifVersion }: Condition = {}): Promise<T> {
    const headers: Record<string, string> = { accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (ifVersion !== undefined) headers['if-match'] = `"${ifVersion}"`
    const init: RequestInit = { method, headers }
    if (body !== undefined) init.body = JSON.stringify(body)
    const response = await fetch(new URL(path, baseUrl), init)
    if (response.ok) return (await response.json()) as T
    throw await toError(response)
  }

  async function toError(response: Response): Promise<ProblemError> {
    const retryAfter = response.headers.get('retry-after')
    const problem = (await response.json()) as ProblemError['problem']
    return new ProblemError(problem, retryAfter === null ? undefined : Number(retryAfter))
  }

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
    /** What has changed since a cursor; without one, everything, in pages. Until `more` is false there is more at once. */
    changes: (query: { since?: string; limit?: number } = {}) =>
      call<ChangesWire>('GET', withQuery('/v1/changes', query)),
    /**
     * What happens, as it happens, until the signal aborts. Comes back by itself after a lost connection, to where it was.
     * @throws ProblemError for what will not heal by itself
     */
    async *events({ types, taskId, after, signal }: EventsQuery = {}): AsyncGenerator<EventWire | Reset> {
      const path = withQuery('/v1/events', { types: types?.join(','), task_id: taskId, after })
      const messages = followStream({
        signal,
        async open(lastId, signal) {
          const headers: Record<string, string> = { accept: 'text/event-stream' }
          if (lastId !== undefined) headers['last-event-id'] = lastId
          const response = await fetch(new URL(path, baseUrl), { headers, signal, cache: 'no-store' })
          if (!response.ok || !response.body) throw await toError(response)
          return response.body
        },
        waitAfter(error) {
          if (!(error instanceof ProblemError)) return 0 // nobody answers just now
          const mayHeal = error.status >= 500 || error.status === 429
          return mayHeal ? (error.retryAfter ?? 0) * 1_000 : undefined
        },
      })
      for await (const { type, data, lastId } of messages)
        yield type === 'reset' ? { type, cursor: lastId } : (JSON.parse(data) as EventWire)
    },
  }
}
