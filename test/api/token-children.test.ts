import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal } from '#kit/http-requests.ts'
import { clientWith, signedIn, signIn, startWithLogin } from '#support/accounts.ts'

/** A token created with a token: no wider scope, no later expiry, and revoked with it. */
const startAt = '2026-12-01T09:00:00Z'

async function start(t: Parameters<typeof startWithLogin>[0]) {
  const { app, add } = await startWithLogin(t, { startAt })
  await add('ada')
  return {
    app,
    page: signedIn(app.url, await signIn(app.url, 'ada')),
    as: (token: string) => clientWith(app.url, token),
  }
}

test('it expires with its parent or before, and a later expiry is refused', async (t) => {
  const { app, page, as } = await start(t)
  const expires_dt = '2026-12-01T10:00:00.000Z'
  const parent = await page.createToken({ name: 'for an hour', scopes: ['admin'], expires_dt })
  assert.equal(parent.parent_id, null, 'a session made it')
  const client = as(parent.token)
  const child = await client.createToken({ name: 'as long', scopes: ['admin'] })
  assert.deepEqual([child.expires_dt, child.parent_id], [expires_dt, parent.id])
  assert.equal((await client.createToken({ name: 'equal', scopes: ['read'], expires_dt })).expires_dt, expires_dt)
  const sooner = '2026-12-01T09:30:00.000Z'
  const short = await client.createToken({ name: 'shorter', scopes: ['admin'], expires_dt: sooner })
  assert.equal(short.expires_dt, sooner)
  assert.equal((await as(short.token).createToken({ name: 'its own', scopes: ['read'] })).expires_dt, sooner)

  for (const late of [null, '2026-12-01T10:00:00.001Z', '2027-01-01']) {
    const { status, problem } = await refusal(client.createToken({ name: 'a', scopes: ['read'], expires_dt: late }))
    const detail = 'must not be after 2026-12-01T10:00:00.000Z: the token that creates it expires then'
    assert.deepEqual([status, problem.errors], [422, [{ pointer: '/expires_dt', detail }]])
  }
  await app.clock.advanceTo(expires_dt)
  assert.equal((await refusal(as(child.token).listTasks())).status, 401)
})

test('if the parent has no expiry, a child has none, or its own', async (t) => {
  const { page, as } = await start(t)
  const client = as((await page.createToken({ name: 'a', scopes: ['admin'] })).token)
  assert.equal((await client.createToken({ name: 'b', scopes: ['admin'] })).expires_dt, null)
  assert.equal((await client.createToken({ name: 'c', scopes: ['admin'], expires_dt: null })).expires_dt, null)
})

test('it is revoked with its parent, over all generations, and with no other token', async (t) => {
  const { page, as } = await start(t)
  const make = async (client: typeof page, name: string) => {
    const { id, token } = await client.createToken({ name, scopes: ['admin'] })
    return { id, client: as(token) }
  }
  const parent = await make(page, 'parent')
  const [child, sibling] = [await make(parent.client, 'child'), await make(parent.client, 'sibling')]
  const grandchild = await make(child.client, 'grandchild')
  const last = await make(grandchild.client, 'last')
  const other = await make(page, 'other')
  const isGood = async ({ client }: typeof parent) => (await client.listTasks().catch(() => undefined)) !== undefined
  const all = [parent, child, grandchild, last, sibling, other]
  assert.deepEqual(await Promise.all(all.map(isGood)), [true, true, true, true, true, true])
  await page.revokeToken(child.id)
  assert.deepEqual(await Promise.all(all.map(isGood)), [true, false, false, false, true, true])
  await page.revokeToken(parent.id)
  assert.deepEqual(await Promise.all(all.map(isGood)), [false, false, false, false, false, true])
  assert.equal((await refusal(page.revokeToken(sibling.id))).status, 404)
})

test('a session that ends revokes no token', async (t) => {
  const { page, as } = await start(t)
  const { token } = await page.createToken({ name: 'a', scopes: ['read'] })
  await page.signOut()
  await as(token).listTasks()
})

test('a chain of tokens has a maximum length, so that revoking it is fast', async (t) => {
  const { page, as } = await start(t)
  let token = (await page.createToken({ name: '1', scopes: ['admin'] })).token
  for (let i = 2; i <= 10; i++) token = (await as(token).createToken({ name: `${i}`, scopes: ['admin'] })).token
  const { status, message } = await refusal(as(token).createToken({ name: '11', scopes: ['read'] }))
  assert.deepEqual([status, message.includes('number 10 in a chain')], [403, true])
})
