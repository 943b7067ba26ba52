import type { Account } from './accounts.ts'

/** Contained in the title of a task whose deliveries fail. */
export const givenUp = 'to be given up'

export interface World {
  readonly root: Account
  readonly user: Account
  readonly other: Account
  /** One more user, whose objects no other user names. */
  readonly add: (name: string) => Promise<Account>
  /** A word in every object of the user. */
  readonly wordOf: (of: Account) => string
  /** Resolves when every due reminder has fired. */
  readonly idle: () => Promise<void>
  /** In ms since 1970. */
  readonly now: () => number
}

/** Creates an object of a user, and returns its name. */
export function createResources({ other, wordOf, idle, now }: World) {
  let made = 0
  const fresh = () => `fresh${++made}`

  async function task(of: Account, more: object = {}): Promise<string> {
    const { id } = await of.ask('POST', '/v1/tasks', { title: `${wordOf(of)} ${fresh()}`, tags: [wordOf(of)], ...more })
    return String(id)
  }
  const firing = (of: Account) => task(of, { expiry_dt: new Date(now() + 86_400_000).toISOString() })
  const recurring = (of: Account) =>
    task(of, { expiry_dt: new Date(now() + 86_400_000).toISOString(), recurrence: { rule: 'FREQ=DAILY' } })
  const completed = (of: Account) => task(of, { completed_dt: '2026-11-01' })

  async function trashed(of: Account): Promise<{ id: string; batch: string }> {
    const id = await task(of)
    const { batch } = await of.ask('DELETE', `/v1/tasks?ids=${id}`)
    return { id, batch }
  }
  const inTrash = async (of: Account) => (await trashed(of)).id

  /** Fires at once, once for each near expiry that it is given. */
  async function fired(
    of: Account,
    { times = 1, title = wordOf(of) } = {},
  ): Promise<{ taskId: string; ids: string[] }> {
    const taskId = await task(of, { title })
    for (let i = 1; i <= times; i++) {
      await of.ask('PATCH', `/v1/tasks/${taskId}`, { expiry_dt: new Date(now() + i * 60_000).toISOString() })
      await idle()
    }
    const { notifications } = await of.ask('GET', `/v1/tasks/${taskId}/notifications`)
    return { taskId, ids: notifications.map(({ id }: { id: number }) => String(id)) }
  }
  const notification = async (of: Account) => (await fired(of)).ids[0] ?? 'none'

  /** A notification with a failed delivery. */
  async function failed(of: Account): Promise<{ id: string; deliveryId: string }> {
    const [id = 'none'] = (await fired(of, { title: `${wordOf(of)} ${givenUp}` })).ids
    const { deliveries } = await of.ask('GET', `/v1/notifications/${id}`)
    const { id: deliveryId } = deliveries.find(({ state }: { state: string }) => state === 'failed')
    return { id, deliveryId }
  }

  /** A channel that gets notifications. */
  async function recorder(of: Account): Promise<string> {
    const { channels } = await of.ask('GET', '/v1/channels')
    return String(channels.find(({ enabled }: { enabled: boolean }) => enabled).id)
  }
  async function channel(of: Account, more: object = {}): Promise<string> {
    const draft = { name: fresh(), kind: 'recording', tags: [wordOf(of)], enabled: false, ...more }
    return String((await of.ask('POST', '/v1/channels', draft)).id)
  }
  const webhook = (of: Account) => channel(of, { kind: 'webhook', options: { url: 'https://example.org/' } })

  const token = async (of: Account) =>
    String((await of.ask('POST', '/v1/tokens', { name: wordOf(of), scopes: ['read'] })).id)

  const invited = (by: Account) => by.ask('POST', '/v1/users', { name: fresh() })
  const member = async (by: Account) => String((await invited(by)).id)
  async function disabled(by: Account): Promise<string> {
    const id = await member(by)
    await by.ask('PATCH', `/v1/users/${id}`, { disabled: true })
    return id
  }

  /** The ETag of the user's tasks, while those of the other user are at the same number. */
  async function etag(of: Account): Promise<string> {
    const etagOf = async (one: Account) => (await one.send('GET', '/v1/tasks?limit=1')).headers.get('etag') ?? ''
    for (;;) {
      const [mine, others] = [await etagOf(of), await etagOf(other)]
      const [own = 0, theirs = 0] = [mine, others].map((text) => Number(/\d+/.exec(text)))
      if (own === theirs) return mine
      await task(own < theirs ? of : other)
    }
  }

  return {
    fresh,
    task,
    firing,
    recurring,
    completed,
    trashed,
    inTrash,
    fired,
    notification,
    failed,
    recorder,
    channel,
    webhook,
    token,
    invited,
    member,
    disabled,
    etag,
  }
}
