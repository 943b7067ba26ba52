import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operations } from '#api/operations.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startWithLogin } from '#support/accounts.ts'
import { differences, takeSnapshot } from '#test/access/snapshot.ts'

/** `dry_run=true` of every DELETE of many objects: it counts what the same request without it deletes, and does nothing. */

const startAt = '2026-12-01T09:00:00Z'

test('a dry run counts, has no effect, and is not in the audit log', async (t) => {
  const { app, root } = await startWithLogin(t, { startAt })
  const { client } = root
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const send = (method: string, path: string, body?: object, token = root.token) =>
    wireTo(app.url)(method, path, { ...(body && { body }), headers: bearer(token) })
  const make = async (path: string, body: object, token?: string) => {
    const { status, body: made, text } = await send('POST', path, body, token)
    assert.equal(status, 200, text)
    return made
  }

  // Two pending deliveries of a channel, a token with a child and a grandchild, three tasks in the trash and four outside of it.
  const channel = await make('/v1/channels', { name: 'Broken', kind: 'recording' })
  app.recorder.answer = () => ({ retry: true, reason: 'not now' })
  for (const title of ['a', 'b']) await make('/v1/tasks', { title, expiry_dt: startAt })
  await app.app.idle()
  const parent = await make('/v1/tokens', { name: 'parent', scopes: ['admin'] })
  const child = await make('/v1/tokens', { name: 'child', scopes: ['admin'] }, parent.token)
  await make('/v1/tokens', { name: 'grandchild', scopes: ['read'] }, child.token)
  await make('/v1/tasks', { tasks: ['c', 'd', 'e', 'f', 'g'].map((title) => ({ title, tags: ['many'] })) })
  const { batch } = await client.deleteTasks({ ids: [3, 4] })
  await client.deleteTask(5)

  const deletions: [operation: string, path: string, answer: object][] = [
    ['deleteTasks', '/v1/tasks?tag=many', { deleted: 2, batch: null, restore_until_dt: null }],
    ['deleteTasks', '/v1/tasks', { deleted: 4, batch: null, restore_until_dt: null }],
    ['purgeTrash', `/v1/trash?batch=${batch}`, { purged: 2 }],
    ['purgeTrash', '/v1/trash?ids=5,99', { purged: 1 }],
    ['purgeTrash', '/v1/trash', { purged: 3 }],
    ['deleteChannel', `/v1/channels/${channel.id}`, { id: channel.id, cancelled: 2 }],
    ['revokeToken', `/v1/tokens/${parent.id}`, { id: parent.id, revoked: 3 }],
  ]
  const withDryRun = (path: string, value: string) => `${path}${path.includes('?') ? '&' : '?'}dry_run=${value}`
  async function auditedOperations() {
    await client.updateSettings({}) // written before its response, as are all earlier entries
    const { entries } = await client.listAudit({ limit: 1_000 })
    return entries.map(({ operation }) => operation).filter((operation) => operation !== 'updateSettings')
  }

  await t.test('every operation that has it is tested', () => {
    const withIt = Object.values(operations).filter(
      (one) => 'query' in one && 'dry_run' in (one.query as { properties: object }).properties,
    )
    assert.deepEqual(withIt.map(({ id }) => id).sort(), [...new Set(deletions.map(([id]) => id))].sort())
  })

  for (const [operation, path, expected] of deletions)
    await t.test(`${operation} ${path}`, async () => {
      const audited = await auditedOperations()
      const before = await takeSnapshot(app.app.store.db)
      const { status, body } = await send('DELETE', withDryRun(path, 'true'))
      assert.deepEqual([status, body], [200, expected])
      await app.app.idle()
      assert.deepEqual(differences(before, await takeSnapshot(app.app.store.db)), [])
      assert.deepEqual(await auditedOperations(), audited)
    })

  await t.test('is refused like the deletion itself, and the refusal is audited', async () => {
    const { token: writing } = await client.createToken({ name: 'writing', scopes: ['write'] })
    const refused = (await auditedOperations()).length
    assertProblem(await send('DELETE', '/v1/trash?dry_run=true', undefined, writing), 403)
    assert.equal((await auditedOperations()).length, refused + 1)
    assertProblem(await send('DELETE', '/v1/channels/1?dry_run=true'), 409)
    assertProblem(await send('DELETE', '/v1/channels/99?dry_run=true'), 404)
    assertProblem(await send('DELETE', '/v1/tokens/99?dry_run=true'), 404)
    const stale = { headers: { ...bearer(root.token), 'if-match': '"99"' } }
    assertProblem(await wireTo(app.url)('DELETE', `/v1/channels/${channel.id}?dry_run=true`, stale), 412)
    assertProblem(await send('DELETE', '/v1/trash?dry_run=yes'), 400)
    assertProblem(await send('DELETE', '/v1/tasks/1?dry_run=true'), 400)
  })

  await t.test('without it, and with false, the same number is deleted and audited', async () => {
    const of = (answer: object) => Object.values(answer).filter((value) => typeof value === 'number')
    for (const [operation, path, expected] of deletions.toReversed().toSorted(([a], [b]) => (a < b ? 1 : -1))) {
      if (path === '/v1/trash' || path === '/v1/tasks') continue
      const before = (await auditedOperations()).length
      const { status, body } = await send('DELETE', withDryRun(path, 'false'))
      assert.equal(status, 200)
      assert.deepEqual(of(body), of(expected), path)
      const audited = await auditedOperations()
      assert.deepEqual([audited.length, audited[0]], [before + 1, operation], path)
    }
    assert.deepEqual(
      (await client.listTasks()).tasks.map(({ title }) => title),
      ['a', 'b'],
    )
    assert.deepEqual(await client.purgeTrash(), { purged: 2 })
  })
})
