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
} from '#api/schemas/account.ts'
import type {
  ChannelDraftWire,
  ChannelKindsWire,
  ChannelPatchWire,
  ChannelsWire,
  ChannelTestWire,
  ChannelWire,
} from '#api/schemas/channel.ts'
import type { ChangesWire, EventType, EventWire } from '#api/schemas/event.ts'
import type { NotificationWire } from '#api/schemas/notification.ts'
import type { SettingsPatchWire, SettingsWire } from '#api/schemas/settings.ts'
import type {
  SnoozeWire,
  TaskDraftWire,
  TaskMarkWire,
  TaskPatchesWire,
  TaskPatchWire,
  TaskUpsertWire,
  TaskWire,
} from '#api/schemas/task.ts'
import type { TagListWire, TaskQueryWire } from '#api/schemas/task-list.ts'
import type {
  DeletedTasksWire,
  DeletedTaskWire,
  PurgedWire,
  RestoredWire,
  RestoreWire,
  TrashWire,
} from '#api/schemas/trash.ts'
import type { UpcomingWire } from '#api/schemas/upcoming.ts'
import type { DeliveryState } from '#core/delivery.ts'
import { type ClientOptions, type CollectionCondition, type Condition, createCall } from './call.ts'
import { followStream } from './event-stream.ts'
import { ProblemError } from './problem-error.ts'

export type { ClientOptions, CollectionCondition, Condition } from './call.ts'
export { type ProblemDocument, ProblemError } from './problem-error.ts'
export { verifyWebhook, WebhookError, type WebhookEvent } from './webhook.ts'

/** Which tasks, and in which order. */
export interface TaskFilter extends Omit<TaskQueryWire, 'limit' | 'offset' | 'cursor' | 'tag' | 'ids' | 'count'> {
  /** Each of them. */
  readonly tag?: string | readonly string[]
  readonly ids?: readonly number[]
}

export interface TaskQuery extends TaskFilter {
  readonly limit?: number
  readonly offset?: number
  readonly cursor?: string
  readonly count?: boolean
}

export interface TaskPage {
  tasks: TaskWire[]
  next_cursor: string | null
  /** Where it was asked for; null for a search that finds very many. */
  total?: number | null
}

export interface NotificationPage {
  notifications: NotificationWire[]
  next_cursor: string | null
}

export interface ManyOptions<M extends boolean> {
  /** Refused when one of them does not exist. */
  readonly strict?: boolean
  /** Of each task only its id and version are answered. */
  readonly minimal?: M
}

export interface DeleteFilter {
  readonly ids?: readonly number[]
  readonly status?: 'all' | 'open' | 'expired' | 'completed'
  /** With several, a task must have them all. */
  readonly tag?: string | readonly string[]
  readonly expires_before?: string
  /** Only count. */
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
 * @throws ProblemError from every method, when the server refuses; what fetch throws, when none answers
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
    /** Every task, or those of a filter, following `next_cursor`. @param limit how many a request */
    async *iterate(limit = 1_000, filter: TaskFilter = {}): AsyncGenerator<TaskWire> {
      const query = { ...filter, ids: filter.ids?.join(','), limit }
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: TaskPage = await call('GET', withQuery('/v1/tasks', { ...query, cursor }))
        yield* page.tasks
        cursor = page.next_cursor
      }
    },
    create: (task: TaskDraftWire) => call<TaskWire>('POST', '/v1/tasks', task),
    get: (id: number) => call<TaskWire>('GET', `/v1/tasks/${id}`),
    update: (id: number, patch: TaskPatchWire, condition?: Condition) =>
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
    /** Creates the task with this key, or changes it. */
    putByKey: (key: string, task: TaskUpsertWire, condition?: Condition) =>
      call<TaskWire>('PUT', `/v1/tasks/by-key/${encodeURIComponent(key)}`, task, condition),
    /** Moves it to the trash. */
    delete: (id: number, condition?: Condition) =>
      call<DeletedTaskWire>('DELETE', `/v1/tasks/${id}`, undefined, condition),
    deleteAll: (condition?: CollectionCondition) =>
      call<DeletedTasksWire>('DELETE', '/v1/tasks', undefined, { ...condition, isLong: true }),
    /** Those that every filter takes; without any, all. */
    deleteMany: ({ ids, ...filter }: DeleteFilter, condition?: CollectionCondition) =>
      call<DeletedTasksWire>('DELETE', withQuery('/v1/tasks', { ...filter, ids: ids?.join(',') }), undefined, {
        ...condition,
        isLong: true,
      }),
    trash: (query: { limit?: number; cursor?: string } = {}) => call<TrashWire>('GET', withQuery('/v1/trash', query)),
    restore: (which: RestoreWire) => call<RestoredWire>('POST', '/v1/trash/restore', which, { isLong: true }),
    /** For good: all that is in the trash, some ids, or one batch. */
    purgeTrash: ({ ids, batch }: RestoreWire = {}) =>
      call<PurgedWire>('DELETE', withQuery('/v1/trash', { ids: ids?.join(','), batch }), undefined, { isLong: true }),
    complete: (id: number, condition?: Condition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/complete`, undefined, condition),
    reopen: (id: number, condition?: Condition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/reopen`, undefined, condition),
    snooze: (id: number, snooze: SnoozeWire, condition?: Condition) =>
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
    /** One delivery that was given up, or each of the notification. */
    retry: (id: number, deliveryId?: string) =>
      call<NotificationWire>(
        'POST',
        `/v1/notifications/${id}/retry`,
        deliveryId === undefined ? undefined : { delivery_id: deliveryId },
      ),
    /** Everything that one channel has given up. @param sinceDt only what rang from this time on */
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
    /** A secret that the server makes is in this answer, and in none after it. */
    createChannel: (channel: ChannelDraftWire) => call<ChannelWire>('POST', '/v1/channels', channel),
    updateChannel: (id: number, patch: ChannelPatchWire, condition?: Condition) =>
      call<ChannelWire>('PATCH', `/v1/channels/${id}`, patch, condition),
    deleteChannel: (id: number, condition?: Condition) =>
      call<{ id: number; dropped: number }>('DELETE', `/v1/channels/${id}`, undefined, condition),
    rotateSecret: (id: number) => call<ChannelWire>('POST', `/v1/channels/${id}/rotate-secret`),
    /** One that is not made yet. May take 15 s. */
    testChannelDraft: (kind: string, options: Record<string, unknown> = {}) =>
      call<ChannelTestWire>('POST', '/v1/channels/test', { kind, options }, { isLong: true }),
    /** With its options, or as they would be after a change. */
    testChannel: (id: number, options?: Record<string, unknown>) =>
      call<ChannelTestWire>('POST', `/v1/channels/${id}/test`, options && { options }, { isLong: true }),
    settings: () => call<SettingsWire>('GET', '/v1/settings'),
    updateSettings: (patch: SettingsPatchWire) => call<SettingsWire>('PATCH', '/v1/settings', patch),
    /** Who is asking, and how one comes in. */
    session: () => call<SessionWire>('GET', '/v1/session'),
    /** For pages of the server itself: the cookie that it sets is theirs alone. Programs are given a `token`. */
    signIn: (login: string, password: string) => call<SessionWire>('POST', '/v1/session', { login, password }),
    signOut: () => call<{ signed_out: boolean }>('DELETE', '/v1/session'),
    /** Sessions and tokens, the caller's own included. */
    signOutEverywhere: () => call<SignedOutEverywhereWire>('POST', '/v1/session/sign-out-everywhere'),
    changePassword: (change: PasswordChangeWire) => call<PasswordChangedWire>('PUT', '/v1/session/password', change),
    acceptInvitation: (acceptance: { code: string; name?: string; password: string }) =>
      call<{ user: UserWire; token: string | null }>('POST', '/v1/invitations/accept', acceptance),
    tokens: () => call<TokensWire>('GET', '/v1/tokens'),
    /** The token itself is in this answer, and in none after it. */
    createToken: (token: TokenDraftWire) => call<NewTokenWire>('POST', '/v1/tokens', token),
    revokeToken: (id: number) => call<{ id: number }>('DELETE', `/v1/tokens/${id}`),
    users: (query: { limit?: number; cursor?: string } = {}) => call<UsersWire>('GET', withQuery('/v1/users', query)),
    user: (id: number) => call<UserWire>('GET', `/v1/users/${id}`),
    createUser: (user: UserDraftWire) => call<NewUserWire>('POST', '/v1/users', user),
    updateUser: (id: number, patch: UserPatchWire, condition?: Condition) =>
      call<UserWire>('PATCH', `/v1/users/${id}`, patch, condition),
    deleteUser: (id: number, condition?: Condition) =>
      call<{ id: number }>('DELETE', `/v1/users/${id}`, undefined, { ...condition, isLong: true }),
    inviteUser: (id: number) => call<InvitationWire>('POST', `/v1/users/${id}/invitation`),
    signOutUser: (id: number) => call<SignedOutEverywhereWire>('POST', `/v1/users/${id}/sign-out-everywhere`),
    /** All that is a user's, a JSON object a line. */
    exportUser: (id: number, signal: AbortSignal = new AbortController().signal) =>
      call.stream(`/v1/users/${id}/export`, { accept: 'application/jsonl' }, signal),
    audit: (query: { limit?: number; cursor?: string; user_id?: number; operation?: string } = {}) =>
      call<AuditWire>('GET', withQuery('/v1/audit', query)),
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
          return call.stream(path, lastId === undefined ? {} : { 'last-event-id': lastId }, signal)
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
