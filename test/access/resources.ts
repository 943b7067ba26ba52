import type { Person } from './accounts.ts'

/** In the title of a task whose notifications are given up. */
export const givenUp = 'to be given up'

export interface World {
  readonly root: Person
  readonly user: Person
  readonly other: Person
  /** One more person, whom nobody else is asked about. */
  readonly add: (name: string) => Promise<Person>
  /** A word in all that a person makes. */
  readonly wordOf: (of: Person) => string
  /** Resolves when what is due has fired. */
  readonly idle: () => Promise<void>
  /** In ms since 1970. */
  readonly now: () => number
}

/** Makes what is somebody's, and answers its name. */
export function thingsIn({ other, wordOf, idle, now }: World) {
  let made = 0
  const fresh = () => `fresh${++made}`

  async function task(of: Person, more: object = {}): Promise<string> {
    const { id } = await of.ask('POST', '/v1/tasks', { title: `${wordOf(of)} ${fresh()}`, tags: [wordOf(of)], ...more })
    return String(id)
  }
  const firing = (of: Person) => task(of, { expiry_dt: new Date(now() + 86_400_000).toISOString() })
  const completed = (of: Person) => task(of, { completed_dt: '2026-11-01' })

  async function trashed(of: Person): Promise<{ id: string; batch: string }> {
    const id = await task(of)
    const { batch } = await of.ask('DELETE', `/v1/tasks?ids=${id}`)
    return { id, batch }
  }
  const inTrash = async (of: Person) => (await trashed(of)).id

  /** Rings at once, as many times as it is given an expiry that is near. */
  async function fired(of: Person, { times = 1, title = wordOf(of) } = {}): Promise<{ taskId: string; ids: string[] }> {
    const taskId = await task(of, { title })
    for (let i = 1; i <= times; i++) {
      await of.ask('PATCH', `/v1/tasks/${taskId}`, { expiry_dt: new Date(now() + i * 60_000).toISOString() })
      await idle()
    }
    const { notifications } = await of.ask('GET', `/v1/tasks/${taskId}/notifications`)
    return { taskId, ids: notifications.map(({ id }: { id: number }) => String(id)) }
  }
  const notification = async (of: Person) => (await fired(of)).ids[0] ?? 'none'

  /** Of which a delivery was given up. */
  async function dead(of: Person): Promise<{ id: string; deliveryId: string }> {
    const [id = 'none'] = (await fired(of, { title: `${wordOf(of)} ${givenUp}` })).ids
    const { deliveries } = await of.ask('GET', `/v1/notifications/${id}`)
    const { id: deliveryId } = deliveries.find(({ state }: { state: string }) => state === 'failed')
    return { id, deliveryId }
  }

  /** That he is told over. */
  async function bell(of: Person): Promise<string> {
    const { channels } = await of.ask('GET', '/v1/channels')
    return String(channels.find(({ enabled }: { enabled: boolean }) => enabled).id)
  }
  async function channel(of: Person, more: object = {}): Promise<string> {
    const draft = { name: fresh(), kind: 'recording', tags: [wordOf(of)], enabled: false, ...more }
    return String((await of.ask('POST', '/v1/channels', draft)).id)
  }
  const webhook = (of: Person) => channel(of, { kind: 'webhook', options: { url: 'https://example.org/' } })

  const token = async (of: Person) =>
    String((await of.ask('POST', '/v1/tokens', { name: wordOf(of), scopes: ['read'] })).id)

  const invited = (by: Person) => by.ask('POST', '/v1/users', { name: fresh() })
  const member = async (by: Person) => String((await invited(by)).id)
  async function disabled(by: Person): Promise<string> {
    const id = await member(by)
    await by.ask('PATCH', `/v1/users/${id}`, { disabled: true })
    return id
  }

  /** The ETag of his tasks, while those of the other are at the same number. */
  async function etag(of: Person): Promise<string> {
    const etagOf = async (one: Person) => (await one.send('GET', '/v1/tasks?limit=1')).headers.get('etag') ?? ''
    for (;;) {
      const [his, others] = [await etagOf(of), await etagOf(other)]
      const [own = 0, theirs = 0] = [his, others].map((text) => Number(/\d+/.exec(text)))
      if (own === theirs) return his
      await task(own < theirs ? of : other)
    }
  }

  return {
    fresh,
    task,
    firing,
    completed,
    trashed,
    inTrash,
    fired,
    notification,
    dead,
    bell,
    channel,
    webhook,
    token,
    invited,
    member,
    disabled,
    etag,
  }
}
