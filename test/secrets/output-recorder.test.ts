import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { startHttpReceiver } from '#kit/http-receiver.ts'
import { spawnNode } from '#kit/server-process.ts'
import { createCanaries } from './canaries.ts'
import { createOutputRecorder } from './output-recorder.ts'

/** Checks that a secret is noticed in every output of a server: a canary is planted in each. */

test('the recorder sees the status text, each header and all of the body of a response', async (t) => {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  const [word, name, value, body] = ['word', 'name', 'value', 'body'].map((one) => canaries.make(one)) as string[]
  const { url } = await startHttpReceiver(t, (_, response) => {
    response.writeHead(
      404,
      `No ${word}`,
      [
        [`x-${name}`, 'x'],
        ['set-cookie', 'a=b'],
        ['set-cookie', `c=${value}`],
      ].flat(),
    )
    // In chunks, none of which holds all of it.
    response.write(`{"detail":"${body?.slice(0, 7)}`)
    setImmediate(() => response.end(`${body?.slice(7)}"}`))
  })
  const answer = await outputs.ask('GET', `${url}/v1/tasks/1?x=1`)
  assert.deepEqual([answer.status, answer.body.detail], [404, body])
  const place = 'the answer to GET /v1/tasks/1, 404'
  assert.deepEqual(
    outputs.leaks().sort(),
    ['body', 'name', 'value', 'word'].map((one) => `${place}: ${one}, as it is`),
  )
  assert.deepEqual([...outputs.statuses], [[404, 1]])
})

test('it sees the response to a malformed request, and a stream that the client closes', async (t) => {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  const secret = canaries.make('the secret')
  const { url } = await startHttpReceiver(t, ({ path }, response) => {
    if (path === '/stream') response.write(`data: ${secret}\n\n`)
    else response.end(secret)
  })
  await outputs.sendRaw(url, ['GET / HTTP/1.1', 'Host: x'])
  await outputs.ask('GET', `${url}/stream`, { until: 'begun' })
  assert.deepEqual(outputs.leaks(), [
    'the answer to what no client sends, 200: the secret, as it is',
    'the answer to GET /stream, 200: the secret, as it is',
  ])
})

test('it sees the command line and all output of a process', async (t) => {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  const [flag, out, error] = ['flag', 'out', 'error'].map((one) => canaries.make(one)) as [string, string, string]
  const program =
    'process.stdin.on("end", () => { console.log(process.env.OUT); console.error(process.env.ERROR) }).resume()'
  const env = { OUT: out, ERROR: Buffer.from(`user:${error}`).toString('base64') }
  const started = spawnNode(t, ['-e', program, flag], { env })
  await once(started.child, 'spawn')
  outputs.follow(started)
  started.child.stdin?.end()
  await started.ended
  assert.deepEqual(outputs.leaks(), [
    'the command line: flag, as it is',
    'standard output: out, as it is',
    'standard error: error, as base64',
  ])
})

test('a secret that is allowed in one place is a leak everywhere else', () => {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  const secret = canaries.make('the secret')
  outputs.record('the answer by which it is made', secret, ['the secret'])
  outputs.record('another answer', secret, ['another secret'])
  outputs.record('the log', `${secret} ${secret}`)
  assert.deepEqual(outputs.leaks(), ['another answer: the secret, as it is', 'the log: the secret, as it is'])
})

test('a secret that is generated later is found in earlier output', () => {
  const canaries = createCanaries()
  const outputs = createOutputRecorder(canaries)
  outputs.record('the log', 'GqFjfCZ5QUdZwCMEfVoDSCnCWRcYlEeCaa0cnQFZ6H0')
  assert.deepEqual(outputs.leaks(), [])
  canaries.add('a hash', 'GqFjfCZ5QUdZwCMEfVoDSCnCWRcYlEeCaa0cnQFZ6H0')
  assert.deepEqual(outputs.leaks(), ['the log: a hash, as it is'])
})
