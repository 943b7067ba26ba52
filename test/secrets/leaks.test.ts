import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configSchema } from '#config/schema.ts'
import { eventually } from '#kit/eventually.ts'
import { readRoutes } from '#openapi/routes.ts'
import { testDatabase } from '#support/databases.ts'
import { createAccounts, type Keys } from './accounts.ts'
import { fire, makeChannels, signInElsewhere, tryChannels } from './channels.ts'
import { type CanaryFixture, startCanaryFixture } from './fixture.ts'
import { askEverywhere, askNonsense, readEverything } from './requests.ts'
import { writeOnlyOptions } from './secret-options.ts'

/**
 * No secret leaks. A real server runs at its most verbose log level, with a canary in every secret: those of the configuration, of each
 * kind of channel and of each request by their schemas, and those that the server generates. Everything that can fail does. None of them
 * may be in any output, in any form.
 * Some are shown on purpose, and searched in every other place all the same:
 * - the setup code of a server, once, on its standard output
 * - a token, a session, an invitation and a webhook's own secret, in the one response that creates each (and in its replay with the same
 * Idempotency-Key)
 * - the address of a channel whose path may be a key but that is not `writeOnly`, to its user
 * - links, in messages
 * test/secrets/canaries.test.ts and output-recorder.test.ts show that the canaries would be found.
 */
test(`on ${testDatabase} no secret is in any output of the server, whatever fails`, async (t) => {
  const fixture = await startCanaryFixture(t)
  const { outputs, database, canaries, ask } = fixture
  await fixture.start(['the set-up code'])
  const keys = await createAccounts(fixture)
  assert.equal(fixture.output.stdout.split('#dbi_').length, 2, 'the set-up code is printed once')

  const over = new AbortController()
  const stream = ask('GET', '/v1/events', { token: keys.token, until: over.signal })
  await makeChannels(fixture, keys)
  // A receiver that hangs takes 15 s: this runs beside all that follows.
  const trials = tryChannels(fixture, keys, ['hangs'])
  await tryChannels(fixture, keys, ['repeats', 'resets', 'refuses', 'untrusted'])
  const links = await fire(fixture, keys)
  await signInElsewhere(fixture)
  await askEverywhere(fixture, keys, links)
  await askNonsense(fixture, keys, links)
  await database.whileAway?.((how) => failToWrite(fixture, keys, how))
  await database.whileLocked?.(() => failToWrite(fixture, keys, 'locked'))
  await trials
  await eventually('the heartbeat was tried', () => fixture.deadMan.requests.length > 0)
  over.abort()
  await stream
  await readEverything(fixture, keys)

  // An unexpected failure: missing tables. An embedded database belongs to the server alone, so it is down meanwhile.
  if (database.isEmbedded) await fixture.kill()
  await database.withoutTables(['idempotency_keys', 'audit', 'tokens'], async () => {
    if (database.isEmbedded) await fixture.start()
    await failToWrite(fixture, keys, 'without tables')
    if (database.isEmbedded) await fixture.kill()
  })
  if (database.isEmbedded) await fixture.start()
  await readEverything(fixture, keys)
  outputs.record("a child's environment", JSON.stringify(fixture.childEnvironment()))
  await fixture.stop()

  const { secrets, hashes } = await database.read()
  addWhatIsStored(fixture, secrets, hashes)
  assertAllSecretsAreThere(fixture)
  for (const status of [200, 302, 400, 401, 403, 404, 405, 409, 413, 415, 422, 431, 500, 503])
    assert.ok(outputs.statuses.has(status) || (status === 503 && database.isEmbedded), `nothing was answered ${status}`)
  assert.deepEqual(outputs.leaks(), [])
  t.diagnostic(`${canaries.names.length} secrets, ${[...outputs.statuses.values()].reduce((a, b) => a + b)} answers`)
})

/** Requests with secrets that reach the database while it fails. */
async function failToWrite(
  { ask, canaries, draft, addresses }: CanaryFixture,
  { token, session, password }: Keys,
  how: string,
) {
  const json = { accept: 'application/json' }
  const headers = { 'idempotency-key': canaries.make(`an Idempotency-Key, ${how}`) }
  const body = draft(`made, ${how}`, 'webhook', 'hangs')
  await Promise.all([
    ask('POST', '/v1/channels', { token, headers, body, shown: addresses }),
    ask('PATCH', '/v1/channels/1', { token, body: { enabled: true } }),
    ask('POST', '/v1/users', { token, body: { name: 'dora', password: canaries.make(`a password, ${how}`) } }),
    ask('POST', '/v1/session', { body: { login: 'bert', password: canaries.make(`a wrong password, ${how}`) } }),
    ask('PUT', '/v1/session/password', {
      headers: { cookie: `__Host-duebell=${session}` },
      body: { current: `${password}x`, password },
    }),
    ask('GET', '/v1/tasks', { token }),
    ask('GET', '/v1/session', { headers: { cookie: `__Host-duebell=${session}` } }),
    ask('GET', '/metrics', { token }),
    ask('GET', '/v1/health', { headers: json }),
    ask('GET', '/v1/health', { token, headers: json }),
  ])
}

/** Each row of `secrets` is a secret, whatever its name, and its placeholder must not be readable either. */
function addWhatIsStored({ canaries }: CanaryFixture, secrets: { name: string; value: string }[], hashes: string[]) {
  for (const { name, value } of secrets)
    canaries.add(`secrets.${name}`, name === 'vapid' ? JSON.parse(value).privateKey : value) // the public key is public
  for (const [i, hash] of hashes.entries()) canaries.add(`hash ${i}`, hash)
  assert.ok(secrets.length >= 3 && hashes.length >= 5, 'they were read')
}

type Members = Record<string, { readonly writeOnly?: boolean; readonly mayHoldSecret?: boolean }>

/** From the schemas: a new secret fails here until it has a canary. */
function assertAllSecretsAreThere({ canaries, database }: CanaryFixture) {
  for (const option of writeOnlyOptions)
    assert.ok(canaries.has(`made-${option.replace(/\..*/, '')}: ${option}`), `a canary in the option ${option}`)
  for (const [name, { writeOnly, mayHoldSecret }] of Object.entries(configSchema.properties as unknown as Members))
    if (writeOnly || (mayHoldSecret && !(name === 'databaseUrl' && database.isEmbedded)))
      assert.ok(canaries.has(`config.${name}`), `a canary in ${name} of the configuration`)
  const madeByUs: Record<string, string> = { 'acceptInvitation.code': 'the set-up code' }
  for (const { schema } of readRoutes().routes)
    for (const [name, { writeOnly }] of Object.entries((schema.body as { properties?: Members })?.properties ?? {})) {
      const member = `${schema.operationId}.${name}`
      if (writeOnly) assert.ok(canaries.has(madeByUs[member] ?? member), `a canary in ${member} of a request`)
    }
}
