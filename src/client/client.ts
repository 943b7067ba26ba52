import type { DeliveryState } from '#core/delivery.ts'
import type {
  AuditWire,
  InvitationWire,
  NewTokenWire,
  NewUserWire,
  PasswordChangedWire,
  PasswordChangeWire,
  SessionWire,
  SignedOutEverywhereWire,
  TokenDraftWire,
  TokensWire,
  UserDraftWire,
  UserPatchWire,
  UsersWire,
  UserWire,
} from '#wire/accounts.ts'
import type {
  ChannelDraftWire,
  ChannelKindsWire,
  ChannelPatchWire,
  ChannelsWire,
  ChannelTestWire,
  ChannelWire,
  SettingsPatchWire,
  SettingsWire,
} from '#wire/channels.ts'
import type { ChangesWire, EventType, EventWire } from '#wire/events.ts'
import type {
  NotificationWire,
  SnoozeWire,
  TaskDraftWire,
  TaskMarkWire,
  TaskPatchesWire,
  TaskPatchWire,
  TaskUpsertWire,
  TaskWire,
} from '#wire/task.ts'
import type { TagListWire, TaskQueryWire } from '#wire/task-list.ts'
import type {
  DeletedTasksWire,
  DeletedTaskWire,
  PurgedWire,
  RestoredWire,
  RestoreWire,
  TrashWire,
} from '#wire/trash.ts'
import type { UpcomingWire } from '#wire/upcoming.ts'
import { type ClientOptions, type CollectionPrecondition, createCall, type Precondition } from './call.ts'
import { followStream } from './event-stream.ts'
import { ProblemError } from './problem-error.ts'

export type { ClientOptions, CollectionPrecondition, Precondition } from './call.ts'
export { type ProblemDocument, ProblemError } from './problem-error.ts'
export { verifyWebhook, WebhookError, type WebhookEvent } from './webhook.ts'

/** Filters and order of a list of tasks. */
export interface TaskListFilter extends Omit<TaskQueryWire, 'limit' | 'offset' | 'cursor' | 'tag' | 'ids' | 'count'> {
  /** A task must have all of them. */
  readonly tag?: string | readonly string[]
  readonly ids?: readonly number[]
}

export interface TaskQuery extends TaskListFilter {
  readonly limit?: number
  readonly offset?: number
  readonly cursor?: string
  readonly count?: boolean
}

export interface TaskPage {
  tasks: TaskWire[]
  next_cursor: string | null
  /** Present with `count`; null for a search with very many results. */
  total?: number | null
}

export interface NotificationPage {
  notifications: NotificationWire[]
  next_cursor: string | null
}

export interface ManyOptions<M extends boolean> {
  /** Fails if one of the tasks does not exist. */
  readonly strict?: boolean
  /** The response has only the id and version of each task. */
  readonly minimal?: M
}

export interface DeleteFilter {
  readonly ids?: readonly number[]
  readonly status?: 'all' | 'open' | 'expired' | 'completed'
  /** A task must have all of them. */
  readonly tag?: string | readonly string[]
  readonly expires_before?: string
  /** Only counts the tasks. */
  readonly dry_run?: boolean
}

export interface NotificationQuery {
  readonly limit?: number
  readonly cursor?: string
  readonly status?: DeliveryState
  readonly channel_id?: number
  readonly acknowledged?: boolean
  readonly problems?: true
}

export interface EventsQuery {
  readonly types?: readonly EventType[]
  readonly taskId?: number
  /** The cursor of an event or of `changes`. Default: from now on */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** Earlier events are lost: load the tasks again by `changes`. The stream continues from this cursor. */
export interface Reset {
  readonly type: 'reset'
  readonly cursor: string
}

export type DuebellClient = ReturnType<typeof createClient>

/**
 * A client of the API. Its objects have the names of the JSON.
 * @param baseUrl of the server, `http://127.0.0.1:8888`
 * @throws ProblemError from every method, for an error response; the errors of fetch, without a response
 */
export function createClient(baseUrl: string, options: ClientOptions = {}) {
  const call = createCall(baseUrl, options)

  const withQuery = (path: string, query: object) => {
    const search = new URLSearchParams()
    for (const [name, values] of Object.entries(query))
      for (const value of [values].flat()) if (value !== undefined) search.append(name, String(value))
    return search.size === 0 ? path : `${path}?${search}`
  }

  return {
    health: () => call<{ status: string; version: string }>('GET', '/v1/health'),
    list: (query: TaskQuery = {}) =>
      call<TaskPage>('GET', withQuery('/v1/tasks', { ...query, ids: query.ids?.join(',') })),
    /** Every task, or those that match a filter, page by page. @param limit the size of a page */
    async *iterate(limit = 1_000, filter: TaskListFilter = {}): AsyncGenerator<TaskWire> {
      const query = { ...filter, ids: filter.ids?.join(','), limit }
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: TaskPage = await call('GET', withQuery('/v1/tasks', { ...query, cursor }))
        yield* page.tasks
        cursor = page.next_cursor
      }
    },
    create: (task: TaskDraftWire) => call<TaskWire>('POST', '/v1/tasks', task),
    get: (id: number) => call<TaskWire>('GET', `/v1/tasks/${id}`),
    update: (id: number, patch: TaskPatchWire, condition?: Precondition) =>
      call<TaskWire>('PATCH', `/v1/tasks/${id}`, patch, condition),
    updateMany: <M extends boolean = false>(
      tasks: TaskPatchesWire['tasks'],
      { strict, minimal }: ManyOptions<M> = {},
    ) => {
      const prefer = [...(strict ? ['handling=strict'] : []), ...(minimal ? ['return=minimal'] : [])]
      type Answer = { tasks: (M extends true ? TaskMarkWire : TaskWire)[]; missing: number[] }
      return call<Answer>('PUT', '/v1/tasks', { tasks }, { prefer })
    },
    getByKey: (key: string) => call<TaskWire>('GET', `/v1/tasks/by-key/${encodeURIComponent(key)}`),
    /** Creates or updates the task with this key. */
    putByKey: (key: string, task: TaskUpsertWire, condition?: Precondition) =>
      call<TaskWire>('PUT', `/v1/tasks/by-key/${encodeURIComponent(key)}`, task, condition),
    /** Moves the task to the trash. */
    delete: (id: number, condition?: Precondition) =>
      call<DeletedTaskWire>('DELETE', `/v1/tasks/${id}`, undefined, condition),
    deleteAll: (condition?: CollectionPrecondition) =>
      call<DeletedTasksWire>('DELETE', '/v1/tasks', undefined, { ...condition, isLong: true }),
    /** Deletes the tasks that match every filter; without filters, all. */
    deleteMany: ({ ids, ...filter }: DeleteFilter, condition?: CollectionPrecondition) =>
      call<DeletedTasksWire>('DELETE', withQuery('/v1/tasks', { ...filter, ids: ids?.join(',') }), undefined, {
        ...condition,
        isLong: true,
      }),
    trash: (query: { limit?: number; cursor?: string } = {}) => call<TrashWire>('GET', withQuery('/v1/trash', query)),
    restore: (which: RestoreWire) => call<RestoredWire>('POST', '/v1/trash/restore', which, { isLong: true }),
    /** Deletes permanently: the whole trash, some ids, or one batch. */
    purgeTrash: ({ ids, batch }: RestoreWire = {}) =>
      call<PurgedWire>('DELETE', withQuery('/v1/trash', { ids: ids?.join(','), batch }), undefined, { isLong: true }),
    complete: (id: number, condition?: Precondition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/complete`, undefined, condition),
    reopen: (id: number, condition?: Precondition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/reopen`, undefined, condition),
    snooze: (id: number, snooze: SnoozeWire, condition?: Precondition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/snooze`, snooze, condition),
    tags: () => call<TagListWire>('GET', '/v1/tags'),
    upcoming: (query: { until?: string; limit?: number } = {}) =>
      call<UpcomingWire>('GET', withQuery('/v1/upcoming', query)),
    notifications: (query: NotificationQuery = {}) =>
      call<NotificationPage>('GET', withQuery('/v1/notifications', query)),
    notification: (id: number) => call<NotificationWire>('GET', `/v1/notifications/${id}`),
    taskNotifications: (id: number, query: NotificationQuery = {}) =>
      call<NotificationPage>('GET', withQuery(`/v1/tasks/${id}/notifications`, query)),
    acknowledge: (id: number) => call<NotificationWire>('POST', `/v1/notifications/${id}/acknowledge`),
    acknowledgeUpTo: (id: number) =>
      call<{ acknowledged: number }>('POST', '/v1/notifications/acknowledge', { up_to: id }, { isLong: true }),
    /** Retries one failed delivery, or all of the notification. */
    retry: (id: number, deliveryId?: string) =>
      call<NotificationWire>(
        'POST',
        `/v1/notifications/${id}/retry`,
        deliveryId === undefined ? undefined : { delivery_id: deliveryId },
      ),
    /** Retries all failed deliveries of a channel. @param sinceDt only of reminders that fired since this time */
    retryChannel: (channelId: number, sinceDt?: string) =>
      call<{ retried: number }>(
        'POST',
        '/v1/notifications/retry',
        { channel_id: channelId, ...(sinceDt !== undefined && { since_dt: sinceDt }) },
        { isLong: true },
      ),
    channelKinds: () => call<ChannelKindsWire>('GET', '/v1/channel-kinds'),
    channels: () => call<ChannelsWire>('GET', '/v1/channels'),
    channel: (id: number) => call<ChannelWire>('GET', `/v1/channels/${id}`),
    /** Only this response contains a secret that the server generates. */
    createChannel: (channel: ChannelDraftWire) => call<ChannelWire>('POST', '/v1/channels', channel),
    updateChannel: (id: number, patch: ChannelPatchWire, condition?: Precondition) =>
      call<ChannelWire>('PATCH', `/v1/channels/${id}`, patch, condition),
    deleteChannel: (id: number, condition?: Precondition) =>
      call<{ id: number; dropped: number }>('DELETE', `/v1/channels/${id}`, undefined, condition),
    rotateSecret: (id: number) => call<ChannelWire>('POST', `/v1/channels/${id}/rotate-secret`),
    /** Tests a channel before it is created. May take 15 s. */
    testChannelDraft: (kind: string, options: Record<string, unknown> = {}) =>
      call<ChannelTestWire>('POST', '/v1/channels/test', { kind, options }, { isLong: true }),
    /** Tests a channel with its options, or with changed ones. */
    testChannel: (id: number, options?: Record<string, unknown>) =>
      call<ChannelTestWire>('POST', `/v1/channels/${id}/test`, options && { options }, { isLong: true }),
    settings: () => call<SettingsWire>('GET', '/v1/settings'),
    updateSettings: (patch: SettingsPatchWire) => call<SettingsWire>('PATCH', '/v1/settings', patch),
    /** The current user, and the ways to sign in. */
    session: () => call<SessionWire>('GET', '/v1/session'),
    /** For pages of the server itself, which alone get its cookie. Programs use a `token`. */
    signIn: (login: string, password: string) => call<SessionWire>('POST', '/v1/session', { login, password }),
    signOut: () => call<{ signed_out: boolean }>('DELETE', '/v1/session'),
    /** Revokes all sessions and tokens, including the caller's own. */
    signOutEverywhere: () => call<SignedOutEverywhereWire>('POST', '/v1/session/sign-out-everywhere'),
    changePassword: (change: PasswordChangeWire) => call<PasswordChangedWire>('PUT', '/v1/session/password', change),
    acceptInvitation: (acceptance: { code: string; name?: string; password: string }) =>
      call<{ user: UserWire; token: string | null }>('POST', '/v1/invitations/accept', acceptance),
    tokens: () => call<TokensWire>('GET', '/v1/tokens'),
    /** Only this response contains the token itself. */
    createToken: (token: TokenDraftWire) => call<NewTokenWire>('POST', '/v1/tokens', token),
    revokeToken: (id: number) => call<{ id: number }>('DELETE', `/v1/tokens/${id}`),
    users: (query: { limit?: number; cursor?: string } = {}) => call<UsersWire>('GET', withQuery('/v1/users', query)),
    user: (id: number) => call<UserWire>('GET', `/v1/users/${id}`),
    createUser: (user: UserDraftWire) => call<NewUserWire>('POST', '/v1/users', user),
    updateUser: (id: number, patch: UserPatchWire, condition?: Precondition) =>
      call<UserWire>('PATCH', `/v1/users/${id}`, patch, condition),
    deleteUser: (id: number, condition?: Precondition) =>
      call<{ id: number }>('DELETE', `/v1/users/${id}`, undefined, { ...condition, isLong: true }),
    inviteUser: (id: number) => call<InvitationWire>('POST', `/v1/users/${id}/invitation`),
    signOutUser: (id: number) => call<SignedOutEverywhereWire>('POST', `/v1/users/${id}/sign-out-everywhere`),
    /** All data of a user, one JSON object a line. */
    exportUser: (id: number, signal: AbortSignal = new AbortController().signal) =>
      call.stream(`/v1/users/${id}/export`, { accept: 'application/jsonl' }, signal),
    audit: (query: { limit?: number; cursor?: string; user_id?: number; operation?: string } = {}) =>
      call<AuditWire>('GET', withQuery('/v1/audit', query)),
    /** Changes since a cursor; without one, everything. Ask for further pages until `more` is false. */
    changes: (query: { since?: string; limit?: number } = {}) =>
      call<ChangesWire>('GET', withQuery('/v1/changes', query)),
    /**
     * Events as they happen, until the signal aborts. Reconnects after a lost connection and continues where it was.
     * @throws ProblemError for a permanent error
     */
    async *events({ types, taskId, after, signal }: EventsQuery = {}): AsyncGenerator<EventWire | Reset> {
      const path = withQuery('/v1/events', { types: types?.join(','), task_id: taskId, after })
      const messages = followStream({
        signal,
        async open(lastId, signal) {
          return call.stream(path, lastId === undefined ? {} : { 'last-event-id': lastId }, signal)
        },
        waitAfter(error) {
          if (!(error instanceof ProblemError)) return 0 // the server is unavailable
          const isTemporary = error.status >= 500 || error.status === 429
          return isTemporary ? (error.retryAfter ?? 0) * 1_000 : undefined
        },
      })
      for await (const { type, data, lastId } of messages)
        yield type === 'reset' ? { type, cursor: lastId } : (JSON.parse(data) as EventWire)
    },
  }
}
