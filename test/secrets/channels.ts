import assert from 'node:assert/strict'
import { eventually } from '#kit/eventually.ts'
import type { Keys } from './accounts.ts'
import type { Fault } from './bad-receivers.ts'
import type { CanaryFixture } from './fixture.ts'
import { secretKinds, secretOptions } from './secret-options.ts'

/** Creates channels of every kind, changes them, and gives them other secrets. */
export async function makeChannels({ canaries, ask, learn, draft, addresses }: CanaryFixture, { token }: Keys) {
  for (const kind of secretKinds) {
    const body = draft(`made-${kind}`, kind, 'repeats')
    const made = await ask('POST', '/v1/channels', { token, body, shown: addresses })
    assert.equal(made.status, 200, made.text)
    const path = `/v1/channels/${made.body.id}`
    const { options } = draft(`changed-${kind}`, kind, 'repeats')
    assert.equal((await ask('PATCH', path, { token, body: made.body, shown: addresses })).status, 200)
    assert.equal((await ask('PATCH', path, { token, body: { options }, shown: addresses })).status, 200)
    assert.equal((await ask('POST', '/v1/channels', { token, body })).status, 409)
    assert.equal((await ask('PATCH', path, { token, body: { options: { ...options, secrt: options } } })).status, 422)
    // Only the path is read.
    await ask('POST', `${path}/test`, { token, body: { options: {} } })
  }
  const headers = { 'idempotency-key': canaries.make('an Idempotency-Key') }
  const own = { token, headers, body: { name: 'own', kind: 'webhook', options: { url: 'http://127.0.0.1:1/' } } }
  const secretOf = ({ body }: { body: { options?: { secret?: string } } }) => body.options?.secret
  let shownOnce: string[] = []
  const secret = await learn("a webhook's own secret", secretOf, (shown) => {
    shownOnce = [...shown, ...addresses]
    return ask('POST', '/v1/channels', { ...own, shown: shownOnce })
  })
  // A request repeated with the same key gets the same response, since the first may have been lost.
  const again = await ask('POST', '/v1/channels', { ...own, shown: shownOnce })
  assert.deepEqual([again.headers['idempotency-replayed'], secretOf(again)], ['true', secret])
  assert.equal((await ask('POST', '/v1/channels', { ...own, body: { ...own.body, name: 'x' } })).status, 422)
  await learn("a webhook's own secret", secretOf, (shown) =>
    ask('POST', `/v1/channels/${again.body.id}/rotate-secret`, { token, shown: [...shown, ...addresses] }),
  )
}

/** Tests every kind before it is saved, with receivers that have these faults. */
export async function tryChannels(
  { canaries, ask, receivers }: CanaryFixture,
  { token }: Keys,
  faults: readonly Fault[],
): Promise<void> {
  await Promise.all(
    secretKinds.flatMap((kind) =>
      faults.map(async (fault) => {
        const of = `tried-${fault}-${kind}`
        const options = secretOptions(canaries, kind, receivers.place(kind, fault), of)
        for (let i = 0; i < (fault === 'repeats' ? receivers.ways : 1); i++) {
          const { body } = await ask('POST', '/v1/channels/test', { token, body: { kind, options } })
          assert.equal(body.ok, false, of)
        }
      }),
    ),
  )
}

/** A task fires on all of them. @returns the ends of the links in the messages: whole, used and not used */
export async function fire({ canaries, ask, receivers }: CanaryFixture, { token }: Keys): Promise<string[]> {
  const expiry_dt = new Date(Date.now() + 60_000).toISOString()
  const body = { title: 'Renew passport', expiry_dt, reminders: ['PT1H'] }
  assert.equal((await ask('POST', '/v1/tasks', { token, body })).status, 200)
  const sent = () => receivers.requests.flatMap(({ body }) => body.match(/(?<=\/a\/)[\w.-]+/g) ?? [])
  await eventually('links are sent', () => sent().length > 0)
  const links = [...new Set(sent())]
  // The part before the last dot only names the action of a link.
  for (const [i, link] of links.entries()) canaries.add(`link ${i}`, link.slice(link.lastIndexOf('.') + 1))
  for (const link of links)
    for (const method of ['GET', 'POST'])
      for (const path of [link, `${link}x`, link.slice(0, -1), `${link}?x=${link}`, link.replaceAll('.', '%2E')])
        await ask(method, `/a/${path}`)
  return links.map((link) => `/a/${link}`)
}

/** People sign in through a provider that repeats its input. */
export async function signInElsewhere({ canaries, ask, provider }: CanaryFixture): Promise<void> {
  for (let i = 0; i < provider.lies; i++) {
    const begun = await ask('GET', '/auth/oidc')
    assert.equal(begun.status, 302, begun.text)
    const state = new URL(String(begun.headers.location)).searchParams.get('state')
    const cookie = String(begun.headers['set-cookie']).split(';')[0] as string
    const code = canaries.make(`code ${i} of the provider`)
    const back = await ask('GET', `/auth/oidc/callback?code=${code}&state=${state}`, { headers: { cookie } })
    assert.ok(back.status >= 403, back.text)
    await ask('GET', `/auth/oidc/callback?code=${code}&state=${code}`, { headers: { cookie } })
    await ask('GET', `/auth/oidc?return_to=/${code}`)
  }
}
