import { randomUUID } from 'node:crypto'
import type { Account } from './accounts.ts'
import type { Naming, Rule, Rules } from './matrix.ts'
import type { Sending } from './requests.ts'
import { createResources, type World } from './resources.ts'

const at = (place: string, names: string) => names.split(' ').map((name) => `${place} ${name}`)

/** Parameters that never name an object of a user. If-Match is the version of one object; lists have rules for it. */
export const plainValues: ReadonlySet<string> = new Set([
  ...at('query', 'limit offset sort status priority count acknowledged problems dry_run types wait operation'),
  ...at('query', 'expires_after expires_before updated_after until occurrences'),
  ...at('header', 'If-Match If-None-Match Prefer Accept-Language'),
  ...at('body', 'title description text language expiry_dt expiry_date time_zone reminders tags priority completed_dt'),
  ...at('body', 'snoozed_until_dt for until'),
  ...at('body', 'recurrence recurrence_text occurrence previous_id next_id rule start_dt start_date limit'),
  ...at('body', 'kind options enabled notifications group_wait repeat ignore_quiet_hours'),
  ...at('body', 'source status disabled_reason failing_since_dt last_sent_dt last_error'),
  ...at('body', 'default_reminders default_day_reminders day_time quiet_hours is_own web_push_key'),
  ...at('body', 'scopes expires_dt since_dt email role disabled disabled_dt password current revoke_tokens'),
  ...at('body', 'create_dt update_dt version'),
])

/** No object has this id. */
export const nothing = '471100'

/**
 * The rules for each operation: which parameters name an object of a user, how to create one, and how to request it. The matrix reports a
 * new operation with a parameter until its rule is here.
 */
export function accessRules(world: World): Rules {
  const { root, user } = world
  const a = createResources(world)

  const path = (id: string): Sending => ({ path: { id } })

  /** An id in the path: for every other user the object does not exist. */
  const byId = (make: (of: Account) => Promise<string>, more: Sending = {}): Naming => ({
    at: 'path id',
    make: async (of) => ({ name: await make(of), absent: nothing }),
    ask: (id) => ({ ...more, ...path(id) }),
  })

  /** An id in a list: the other objects are accepted, and this one is not found. */
  const among = (at: string, make: (of: Account) => Promise<string>, ask: Naming['ask']): Naming => ({
    at,
    make: async (of) => ({ name: await make(of), absent: nothing }),
    ask,
    status: 200,
  })

  /** A value that a user may give to their objects, or search for: the response must not show that another user has it. */
  const given = (at: string, give: (of: Account, name: string) => Promise<unknown>, ask: Naming['ask']): Naming => ({
    at,
    async make(of) {
      const [name, absent] = [a.fresh(), a.fresh()]
      await give(of, name)
      return { name, absent }
    },
    ask,
    status: 200,
  })
  const keyGiven = (ask: Naming['ask']) => given('body key', (of, key) => a.task(of, { key }), ask)
  const uidGiven = (ask: Naming['ask']) => given('body uid', (of, uid) => a.task(of, { uid }), ask)
  const tagGiven = (ask: Naming['ask']) => given('query tag', (of, tag) => a.task(of, { tags: [tag] }), ask)

  /** With the key of another user, a request is processed, and its response is not that of the other user. */
  function keyed(right: (by: Account) => Sending | Promise<Sending>): Naming {
    const under = async (key: string, by: Account) => ({ ...(await right(by)), headers: { 'idempotency-key': key } })
    return {
      at: 'header Idempotency-Key',
      async make(of, perform) {
        const name = a.fresh()
        const proof = await under(name, of)
        await perform(of, proof)
        return { name, absent: a.fresh(), proof }
      },
      ask: under,
      status: 200,
    }
  }

  /** A cursor is a position, at which every user sees their own objects: here after all those of the other user. */
  const cursor = (
    list: string,
    make: (of: Account) => Promise<unknown>,
    sort: Record<string, string> = {},
  ): Naming => ({
    at: 'query cursor',
    async make(of) {
      for (let i = 0; i < 3; i++) await make(of)
      const page = (limit: number) => of.ask('GET', `${list}?${new URLSearchParams({ ...sort, limit: String(limit) })}`)
      // The newest come last in one list, and first in the others.
      const isNewestFirst = list !== '/v1/tasks' || sort.sort !== undefined
      const count = isNewestFirst ? 3 : (await of.ask('GET', '/v1/tasks?count=true&limit=0')).total
      return { name: (await page(count - 2)).next_cursor, absent: (await page(count - 1)).next_cursor }
    },
    ask: (cursor) => ({ query: { ...sort, cursor } }),
    status: 200,
  })

  /** A cursor of a list of the whole server. */
  const serverCursor = (list: string): Naming => ({
    at: 'query cursor',
    make: async (of) => ({ name: (await of.ask('GET', `${list}?limit=1`)).next_cursor, absent: 'nowhere' }),
    ask: (cursor) => ({ query: { cursor } }),
  })

  const one = (make: (of: Account) => Promise<string>): Rule => ({ namings: [byId(make)] })

  /** An action on one object that may be repeated with a key. */
  const verb = (make: (of: Account) => Promise<string>, more: Sending = {}): Rule => ({
    namings: [byId(make, more), keyed(async (by) => ({ ...more, ...path(await make(by)) }))],
  })

  /** The id in the path names the task. Ids in the body are ignored, so that clients can send back what they read. */
  const change: Rule = {
    namings: [byId(a.task), keyGiven(async (key, by) => ({ ...path(await a.task(by)), body: { key } }))],
    values: ['body id', 'body uid'],
  }
  const many = (id: string, more: object = { priority: 'high' }) => ({ body: { tasks: [{ id: Number(id), ...more }] } })
  const changesCursor = async (of: Account) => (await of.ask('GET', '/v1/changes?limit=1000')).cursor
  const poll = (query: Record<string, string>): Sending => ({
    query: { wait: '0', ...query },
    headers: { accept: 'application/json' },
  })

  return {
    createTask: {
      namings: [
        uidGiven((uid) => ({ body: { title: 'x', uid } })),
        keyGiven((key) => ({ body: { title: 'x', key } })),
        {
          ...uidGiven((uid) => ({ body: { tasks: [{ title: 'x', uid }] } })),
          at: 'body tasks',
        },
        {
          ...keyGiven((key) => ({ body: { tasks: [{ title: 'x', key }] } })),
          at: 'body tasks',
        },
        keyed(() => ({ body: { title: 'x' } })),
        keyed(() => ({ body: { tasks: [{ title: 'x' }] } })),
      ],
      values: ['body id'],
    },
    updateTasks: {
      right: async (by) => many(await a.task(by)),
      namings: [
        among('body tasks', a.task, (id) => many(id)),
        among('body tasks', a.task, (id) => many(id, { version: 1, title: 'x' })),
        {
          ...among('body tasks', a.task, (id) => ({ ...many(id), headers: { prefer: 'handling=strict' } })),
          status: 404,
        },
      ],
    },
    listTasks: {
      namings: [
        among('query ids', a.task, (ids) => ({ query: { ids, count: 'true' } })),
        cursor('/v1/tasks', a.task),
        cursor('/v1/tasks', a.task, { sort: '-create_dt' }),
        given(
          'query q',
          (of, title) => a.task(of, { title }),
          (q) => ({ query: { q, count: 'true' } }),
        ),
        tagGiven((tag) => ({ query: { tag, count: 'true' } })),
        {
          at: 'header If-None-Match',
          make: async (of) => ({ name: await a.etag(of), absent: `"c999999.${nothing}"` }),
          ask: (etag) => ({ headers: { 'if-none-match': etag } }),
          status: 200,
        },
      ],
    },
    deleteTasks: {
      right: async (by) => ({ query: { ids: await a.task(by) } }),
      namings: [
        among('query ids', a.task, (ids) => ({ query: { ids } })),
        tagGiven((tag) => ({ query: { tag } })),
        {
          at: 'header If-Match',
          make: async (of) => ({ name: await a.etag(of), absent: `"c999999.${nothing}"` }),
          ask: (etag) => ({ query: { tag: 'none' }, headers: { 'if-match': etag } }),
          status: 412,
        },
      ],
    },
    getTask: one(a.task),
    putTask: change,
    updateTask: change,
    deleteTask: one(a.task),
    completeTask: verb(a.task),
    reopenTask: verb(a.completed),
    snoozeTask: verb(a.firing),
    skipTask: verb(a.recurring),
    listOccurrences: one(a.recurring),
    previewRecurrence: { right: () => ({ body: { rule: 'FREQ=DAILY' } }) },
    getTaskByKey: {
      namings: [
        {
          ...given(
            'path key',
            (of, key) => a.task(of, { key }),
            (key) => ({ path: { key } }),
          ),
          status: 404,
        },
      ],
    },
    putTaskByKey: {
      namings: [
        given(
          'path key',
          (of, key) => a.task(of, { key }),
          (key) => ({ path: { key }, body: { title: 'x' } }),
        ),
        uidGiven((uid) => ({ path: { key: a.fresh() }, body: { title: 'x', uid } })),
      ],
      values: ['body key', 'body id'],
    },

    listTrash: { namings: [cursor('/v1/trash', a.trashed)] },
    purgeTrash: {
      right: async (by) => ({ query: { ids: await a.inTrash(by) } }),
      namings: [
        among('query ids', a.inTrash, (ids) => ({ query: { ids } })),
        among(
          'query batch',
          async (of) => (await a.trashed(of)).batch,
          (batch) => ({ query: { batch } }),
        ),
      ],
    },
    restoreTasks: {
      right: async (by) => ({ body: { ids: [Number(await a.inTrash(by))] } }),
      namings: [
        among('body ids', a.inTrash, (id) => ({ body: { ids: [Number(id)] } })),
        among(
          'body batch',
          async (of) => (await a.trashed(of)).batch,
          (batch) => ({ body: { batch } }),
        ),
        keyed(async (by) => ({ body: { ids: [Number(await a.inTrash(by))] } })),
      ],
    },

    listNotifications: {
      namings: [
        cursor('/v1/notifications', a.fired),
        among('query channel_id', a.recorder, (id) => ({ query: { channel_id: id } })),
      ],
    },
    getNotification: one(a.notification),
    listTaskNotifications: {
      namings: [
        byId(async (of) => (await a.fired(of)).taskId),
        {
          at: 'query cursor',
          async make(of) {
            const [remaining, gone] = [await a.fired(of, { times: 2 }), await a.fired(of, { times: 2 })]
            const behind = async ({ taskId }: { taskId: string }) =>
              (await of.ask('GET', `/v1/tasks/${taskId}/notifications?limit=1`)).next_cursor
            const [name, absent] = [await behind(remaining), await behind(gone)]
            await of.ask('DELETE', `/v1/tasks/${gone.taskId}`)
            return { name, absent, proof: { ...path(remaining.taskId), query: { cursor: name } } }
          },
          ask: async (cursor, by) => ({ ...path((await a.fired(by)).taskId), query: { cursor } }),
          status: 400,
        },
        {
          at: 'query channel_id',
          async make(of) {
            const [{ taskId }, name] = [await a.fired(of), await a.recorder(of)]
            return { name, absent: nothing, proof: { ...path(taskId), query: { channel_id: name } } }
          },
          ask: async (id, by) => ({ ...path((await a.fired(by)).taskId), query: { channel_id: id } }),
          status: 200,
        },
      ],
    },
    acknowledgeNotification: verb(a.notification),
    acknowledgeNotifications: {
      right: async (by) => ({ body: { up_to: Number(await a.notification(by)) } }),
      namings: [
        {
          at: 'body up_to',
          async make(of) {
            const name = await a.notification(of)
            return { name, absent: nothing, proof: { body: { up_to: Number(name) } } }
          },
          // The user has acknowledged all their own notifications.
          async ask(id, by) {
            await by.ask('POST', '/v1/notifications/acknowledge', { up_to: Number.MAX_SAFE_INTEGER })
            return { body: { up_to: Number(id) } }
          },
          status: 200,
        },
        keyed(() => ({ body: { up_to: 1 } })),
      ],
    },
    retryNotifications: {
      right: async (by) => ({ body: { channel_id: Number(await a.recorder(by)) } }),
      namings: [
        {
          at: 'body channel_id',
          async make(of) {
            const name = await a.recorder(of)
            return { name, absent: nothing, proof: { body: { channel_id: Number(name) } } }
          },
          ask: (id) => ({ body: { channel_id: Number(id) } }),
          status: 422,
        },
        keyed(async (by) => ({ body: { channel_id: Number(await a.recorder(by)) } })),
      ],
    },
    retryNotification: {
      namings: [
        ...(verb(async (of) => (await a.failed(of)).id, { body: {} }).namings ?? []),
        {
          at: 'body delivery_id',
          async make(of) {
            const { id, deliveryId } = await a.failed(of)
            return { name: deliveryId, absent: randomUUID(), proof: { ...path(id), body: { delivery_id: deliveryId } } }
          },
          ask: async (id, by) => ({ ...path((await a.failed(by)).id), body: { delivery_id: id } }),
          status: 422,
        },
      ],
    },

    createChannel: {
      right: () => ({ body: { name: a.fresh(), kind: 'recording', enabled: false } }),
      namings: [
        given(
          'body name',
          (of, name) => a.channel(of, { name }),
          (name) => ({ body: { name, kind: 'recording', enabled: false } }),
        ),
        keyed(() => ({ body: { name: a.fresh(), kind: 'recording', enabled: false } })),
      ],
    },
    getChannel: one(a.channel),
    updateChannel: {
      namings: [
        byId(a.channel),
        given(
          'body name',
          (of, name) => a.channel(of, { name }),
          async (name, by) => ({ ...path(await a.channel(by)), body: { name } }),
        ),
      ],
      values: ['body id'],
    },
    deleteChannel: one(a.channel),
    rotateChannelSecret: verb(a.webhook),
    testChannelDraft: {
      right: () => ({ body: { kind: 'recording' } }),
      namings: [keyed(() => ({ body: { kind: 'recording' } }))],
    },
    testChannel: verb(a.channel, { body: {} }),

    updateSettings: { right: () => ({ body: { default_reminders: ['PT30M', 'PT15M'] } }) },
    createToken: { values: ['body name'] },
    revokeToken: one(a.token),
    listUsers: { namings: [serverCursor('/v1/users')] },
    createUser: { right: () => ({ body: { name: a.fresh() } }), values: ['body name'] },
    getUser: one(a.member),
    updateUser: { ...one(a.member), values: ['body id', 'body name'] },
    deleteUser: one(a.disabled),
    inviteUser: one(a.member),
    signOutUser: one(a.member),
    signOutEverywhere: { doer: () => world.add(a.fresh()) },
    exportUser: one(async () => String(user.id)),
    listAudit: {
      namings: [
        serverCursor('/v1/audit'),
        among(
          'query user_id',
          async () => String(user.id),
          (id) => ({ query: { user_id: id } }),
        ),
      ],
    },
    signIn: {
      right: ({ name, password }) => ({ body: { login: name, password } }),
      namings: [
        {
          at: 'body login',
          make: async ({ name, password }) => ({ name, absent: 'nobody', proof: { body: { login: name, password } } }),
          ask: (login) => ({ body: { login, password: 'wrong horse battery' } }),
          status: 401,
        },
      ],
    },
    changePassword: { right: ({ password }) => ({ body: { current: password, password } }) },
    acceptInvitation: {
      right: async ({ password }) => ({ body: { code: (await a.invited(root)).invitation.code, password } }),
      values: ['body code', 'body name'],
    },

    listChanges: {
      namings: [
        {
          at: 'query since',
          make: async (of) => ({ name: await changesCursor(of), absent: 'nowhere' }),
          ask: (since) => ({ query: { since } }),
          status: 400,
        },
      ],
    },
    followEvents: {
      right: () => poll({ after: '0' }),
      namings: [
        {
          at: 'query after',
          make: async (of) => ({ name: await changesCursor(of), absent: 'nowhere' }),
          ask: (after) => poll({ after }),
          status: 400,
        },
        {
          at: 'header Last-Event-ID',
          make: async (of) => ({ name: await changesCursor(of), absent: 'nowhere' }),
          ask: (id) => ({ headers: { accept: 'text/event-stream', 'last-event-id': id } }),
          status: 400,
        },
        among('query task_id', a.task, (id) => poll({ after: '0', task_id: id })),
      ],
    },
  }
}
