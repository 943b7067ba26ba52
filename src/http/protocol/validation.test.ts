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
  /** Sends so many bodies of this many bytes at once. @returns the statuses */
  const send = async (count: number, bytes: number) => {
    const body = JSON.stringify('x'.repeat(bytes - 2))
    const headers = { 'content-type': 'application/json' }
    const sent = Array.from({ length: count }, () => server.inject({ method: 'POST', url: '/', headers, body }))
    return (await Promise.all(sent)).map(({ statusCode }) => statusCode)
  }
  return { send }
}

/** Takes note of bodies as they are read, and of the turn of the event loop after each. */
function noteTurns() {
  const notes: string[] = []
  const onBody = () => {
    notes.push('body')
    setImmediate().then(() => notes.push('turn'))
  }
  return { notes, onBody }
}

test('of large bodies that come at once one is parsed in a turn of the event loop; of small ones, many', async (t) => {
  const { notes, onBody } = noteTurns()
  const { send } = start(t, onBody)
  await send(1, 100) // Fastify is ready
  await setImmediate()
  notes.length = 0
  assert.deepEqual(await send(3, 900_000), [200, 200, 200])
  assert.deepEqual(notes.slice(0, 5), ['body', 'turn', 'body', 'turn', 'body'])
  await setImmediate()
  notes.length = 0
  await send(3, 1_000)
  assert.deepEqual(notes.slice(0, 3), ['body', 'body', 'body'])
})

test('where 64 large bodies wait, further ones are refused: they would hold up to 1 MiB each', async (t) => {
  const { send } = start(t, () => {})
  await send(1, 100)
  const statuses = await send(80, 70_000)
  assert.equal(statuses.filter((status) => status === 200).length, 65, 'one is parsed at once')
  assert.equal(statuses.filter((status) => status === 503).length, 15)
})
