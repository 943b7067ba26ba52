import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { pino } from 'pino'
import { sessionMs } from '#actions/sign-in.ts'
import { createServer, type ServerDeps } from '#http/server.ts'
import { readRoutes } from '#openapi/routes.ts'
import { signIn } from '#support/accounts.ts'
import { testDatabase } from '#support/databases.ts'
import { startTestApp } from '#support/test-app.ts'
import { sampled } from '#test/sizes.ts'
import { type Account, inviteAccounts } from './accounts.ts'
import { checkAccess, type Matrix } from './matrix.ts'
import { accessFaults } from './planted-faults.ts'
import { type Operation, operationsToCheck, sendTo } from './requests.ts'
import { givenUp } from './resources.ts'
import { accessRules, nothing, plainValues } from './rules.ts'
import { type Snapshot, takeSnapshot, watchWrites } from './snapshot.ts'
import { unauthenticatedCallersOf } from './unauthenticated-callers.ts'

const secretWord = 'Kilimanjaro'

/**
 * Permissions: every operation of the API × every caller without permission, generated from src/api and the routes by hand. A new operation
 * fails here until the rules say whose objects its parameters name, or that it is public.
 */
const publicOperations = new Set(['isAlive', 'isReady', 'getHealth', 'getSession', 'signIn', 'acceptInvitation'])

/** Routes that are no operations: public pages, and the links of messages, which are credentials themselves. */
const publicPages = new Set([
  ...['GET /', 'GET /docs', 'GET /docs/scalar.js', 'GET /openapi.json', 'GET /problems', 'GET /problems/:slug'],
  // The app's page is the same for everyone; what it shows, it asks of the API.
  ...['GET /all', 'GET /calendar', 'GET /done', 'GET /tasks/:id', 'GET /notifications', 'GET /channels'],
  ...['GET /settings', 'GET /assets/:name'],
  ...['GET /set-up', 'GET /invitation', 'GET /sign-in', 'GET /auth/oidc', 'GET /auth/oidc/callback'],
  ...['GET /a/:token', 'POST /a/:token'],
])

const { hidden } = readRoutes()

async function start(t: TestContext): Promise<Matrix> {
  const writes = watchWrites()
  let last: Snapshot = new Map()
  const testApp = await startTestApp(t, {
    startAt: '2026-11-23T13:00:00Z',
    flags: [
      '--login',
      '--rate-limit=0',
      // With the routes that an identity provider adds, although there is no provider.
      ...['--oidc-issuer=http://127.0.0.1:1', '--oidc-client-id=duebell', '--public-url=http://127.0.0.1:1'],
      // No data outlives the process, and a sync for each of some thousand writes would take most of the time.
      ...(testDatabase === 'sqlite' ? ['--database-url=sqlite::memory:'] : []),
    ],
    wrapDatabase: writes.wrap,
  })
  const { app, recorder, clock, url } = testApp
  recorder.answer = ({ task }) => (task.title.includes(givenUp) ? { retry: false, reason: 'refused' } : undefined)
  const accounts = await inviteAccounts(testApp)
  const { root } = accounts
  const [user, other] = [await accounts.add('ben'), await accounts.add('ada')]
  const wordOf = (of: Account) => (of === user ? secretWord : 'Ararat')
  for (const one of [user, other]) {
    await one.ask('POST', '/v1/channels', { name: `${wordOf(one)} calling`, kind: 'recording' })
    await one.ask('POST', '/v1/tokens', { name: wordOf(one), scopes: ['read'] })
    const task = { title: wordOf(one), tags: [wordOf(one)], expiry_dt: '2026-11-23T20:00:00Z' }
    await one.ask('POST', '/v1/tasks', task)
    const { id } = await one.ask('POST', '/v1/tasks', task)
    await one.ask('DELETE', `/v1/tasks/${id}`)
  }
  const unauthenticatedCallers = await unauthenticatedCallersOf(testApp, accounts, user)

  const operations = operationsToCheck()
  // Deleting all tasks needs more than deleting some, which the rules cover.
  const ofAll = (id: string): Operation => {
    const one = operations.find((operation) => operation.id === id) ?? assert.fail(`there is no ${id}`)
    return { ...one, id: `${id} of all`, parameters: [], requiredScope: 'admin' }
  }
  return {
    operations: [...operations, ofAll('deleteTasks'), ofAll('purgeTrash')],
    rules: accessRules({ root, user, other, add: accounts.add, wordOf, idle: app.idle, now: clock.now }),
    values: plainValues,
    publicOperations,
    unauthenticatedCallers,
    people: { root, user, other },
    secretWord,
    send: sendTo(t, url),
    async takeSnapshot() {
      await app.idle()
      if (writes.take()) last = await takeSnapshot(app.store.db)
      return last
    },
  }
}

test('access', async (t) => {
  const matrix = await start(t)

  await t.test(
    'callers without permission are refused by every operation, learn nothing and change nothing',
    async (t) => {
      const { cells, broken, shown } = await checkAccess(matrix)
      t.diagnostic(`access: ${matrix.operations.length} operations, ${cells} cells`)
      assert.deepEqual(broken, [])
      // The word that no other user was shown is in the response to its user.
      for (const id of ['getTask', 'listTasks', 'listTags', 'listTrash', 'listUpcoming', 'listChannels', 'listChanges'])
        assert.ok(shown.has(id), id)
      assert.ok(shown.has('followEvents') && shown.has('exportUser'))
    },
  )

  await t.test(
    'every route that is no operation is a public page listed here, or a method that its resource does not have',
    async (t) => {
      const found = new Set(hidden)
      for (const page of publicPages) assert.ok(found.has(page), `${page} is there no more`)
      const wrong: string[] = []
      for (const page of found) {
        const [method = '', url = ''] = page.split(' ')
        const target = url.replaceAll(/:\w+/g, '1')
        const reply = await matrix.send({ operation: page, method, target, headers: {}, body: undefined })
        const isOne = publicPages.has(page)
        const isRight = isOne ? reply.status !== 401 : reply.status === 405 && reply.headers.has('allow')
        if (!isRight) wrong.push(`${page}: ${reply.status} ${isOne ? '' : 'is it meant for everybody?'}`)
      }
      t.diagnostic(`access: ${publicPages.size} pages, ${found.size - publicPages.size} methods that are none`)
      assert.deepEqual(wrong, [])
    },
  )

  // The matrix has deleted all tasks.
  await matrix.people.user.ask('POST', '/v1/tasks', { title: secretWord, tags: [secretWord] })
  // Shows that the matrix finds faults, and not only that there are none.
  for (const [words, operations, send, expected] of sampled(accessFaults(matrix), 4))
    await t.test(`the matrix finds ${words}`, async () => {
      const { broken } = await checkAccess({ ...matrix, operations, send })
      assert.ok(
        broken.some((one) => expected.test(one)),
        broken.join('\n'),
      )
    })

  await t.test('the matrix reports a rule whose object does not exist', async () => {
    const [naming = assert.fail('getTask has no rule')] = matrix.rules.getTask?.namings ?? []
    const rules = { getTask: { namings: [{ ...naming, make: async () => ({ name: '471101', absent: nothing }) }] } }
    const operations = matrix.operations.filter(({ id }) => id === 'getTask')
    const { broken } = await checkAccess({ ...matrix, operations, rules })
    assert.match(broken.join('\n'), /the user of a «path id» gets the same response as others: does it exist/)
  })
})

test('a route that declares no scope prevents the creation of the server', () => {
  let isAdded = false
  function onRoute(this: FastifyInstance, { url }: RouteOptions) {
    if (isAdded || url !== '/livez') return
    isAdded = true
    this.get('/v1/forgotten', async () => 'anything')
  }
  const parts = {
    ctx: {} as never,
    log: pino({ level: 'silent' }),
    allowedHosts: [],
    trustProxy: [],
    corsOrigins: [],
    onRoute,
  }
  assert.throws(
    () => createServer(parts as Partial<ServerDeps> as ServerDeps),
    /GET \/v1\/forgotten does not declare its scope/,
  )
  assert.ok(isAdded)
})

test('an ended session stays ended, however often it is tried', async (t) => {
  const testApp = await startTestApp(t, { flags: ['--login', '--rate-limit=0'] })
  const { clock, url } = testApp
  const { root } = await inviteAccounts(testApp)
  const cookie = await signIn(url, root.name)
  const status = async () => (await fetch(`${url}/v1/tasks`, { headers: { cookie } })).status
  assert.equal(await status(), 200)
  await clock.advance(sessionMs)
  for (let i = 0; i < 3; i++) {
    assert.equal(await status(), 401)
    await clock.advance(60_000)
  }
})
