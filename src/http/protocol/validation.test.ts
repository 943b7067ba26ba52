import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { fastify } from 'fastify'
import { Problem } from '#core/problem.ts'
import { readJsonStrictly } from './validation.ts'

function start(t: TestContext, onBody: () => void) {
  const server = fastify()
  t.after(() => server.close())
  let ms = 0
  readJsonStrictly(server, { now: () => ms, later: (callback) => globalThis.setImmediate(callback) })
  server.setErrorHandler((error, _, reply) =>
    reply.code(error instanceof Problem && error.kind === 'unavailable' ? 503 : 500).send(''),
  )
  server.post('/', async () => {
    ms += 5 // more than the share of a turn
    onBody()
    return ''
  })
  /** Sends `count` bodies of this many bytes at once. @returns the statuses */
  const send = async (count: number, bytes: number) => {
    const body = JSON.stringify('x'.repeat(bytes - 2))
    const headers = { 'content-type': 'application/json' }
    const sent = Array.from({ length: count }, () => server.inject({ method: 'POST', url: '/', headers, body }))
    return (await Promise.all(sent)).map(({ statusCode }) => statusCode)
  }
  return { send }
}

/** Records bodies as they are read, and the turn of the event loop after each. */
function noteTurns() {
  const notes: string[] = []
  const onBody = () => {
    notes.push('body')
    setImmediate().then(() => notes.push('turn'))
  }
  return { notes, onBody }
}

test('one turn of the event loop parses one large body, or many small ones', async (t) => {
  const { notes, onBody } = noteTurns()
  const { send } = start(t, onBody)
  await send(1, 100) // waits until Fastify is ready
  await setImmediate()
  notes.length = 0
  assert.deepEqual(await send(3, 900_000), [200, 200, 200])
  assert.deepEqual(notes.slice(0, 5), ['body', 'turn', 'body', 'turn', 'body'])
  await setImmediate()
  notes.length = 0
  await send(3, 1_000)
  assert.deepEqual(notes.slice(0, 3), ['body', 'body', 'body'])
})

test('while 64 large bodies wait, further ones are rejected: each holds up to 1 MiB', async (t) => {
  const { send } = start(t, () => {})
  await send(1, 100)
  const statuses = await send(80, 70_000)
  assert.equal(statuses.filter((status) => status === 200).length, 65, 'one is parsed at once')
  assert.equal(statuses.filter((status) => status === 503).length, 15)
})
