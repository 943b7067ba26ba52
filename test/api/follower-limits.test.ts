import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openStream } from '#kit/event-stream.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { signIn, startWithLogin } from '#support/accounts.ts'

/** The maximum number of long-lived connections per token, session or user. The numbers themselves: src/http/follower-limits.test.ts. */
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('a token follows events 100 times and a user 200, by streams and long polls; other users are not affected', async (t) => {
  const { app, root, add } = await startWithLogin(t, { flags: ['--rate-limit=0'] })
  const ada = await add('ada')
  const streamBy = (headers: Record<string, string>) => openStream(t, `${app.url}/v1/events`, headers)
  const manyBy = (headers: Record<string, string>) => Promise.all(Array.from({ length: 100 }, () => streamBy(headers)))
  const statusOf = async (headers: Record<string, string>, accept: string) => {
    const answer = await wireTo(app.url)('GET', '/v1/events?wait=0', { headers: { ...headers, accept } })
    if (answer.status !== 200) assert.ok(Number(answer.headers.get('retry-after')) > 0)
    return answer
  }

  const [first] = await manyBy(bearer(ada.token))
  for (const accept of ['text/event-stream', 'application/json'])
    assertProblem(await statusOf(bearer(ada.token), accept), 429, 'This token or session follows events 100 times')
  const cookie = await signIn(app.url, 'ada')
  await manyBy({ cookie })
  const child = await ada.client.createToken({ name: 'child', scopes: ['read'] })
  assertProblem(await statusOf(bearer(child.token), 'application/json'), 429, 'This user follows events 200 times')
  assert.equal((await statusOf(bearer(root.token), 'application/json')).status, 200)
  assert.equal((await ada.client.listTasks()).tasks.length, 0, 'all else is answered')

  await first?.close()
  const isAnswered = async () => (await statusOf(bearer(child.token), 'application/json')).status === 200
  await eventually('the one that left has made room', isAnswered)
})
