import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type DuebellClient as Client, createClient } from '#client/client.ts'
import { migratedDatabase, testDatabase } from '#support/databases.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { startLiveApp } from '#support/live-app.ts'
import { createRecorder } from '#support/recording-channel.ts'
import { startTestApp } from '#support/test-app.ts'
import { sizes } from '#test/sizes.ts'

/** However a recurring task is completed at once: it has one successor. */

const flags = ['--public-url=https://tasks.example.org/']

/** Two replicas on one database. An embedded database has one server. */
async function startReplicas(t: Parameters<typeof startLiveApp>[0]) {
  const database = await migratedDatabase(t)
  const recorder = createRecorder()
  const first = await startLiveApp(t, database, { recorder, flags })
  const second = testDatabase === 'sqlite' ? first : await startLiveApp(t, database, { recorder, flags })
  return { first, second, recorder }
}

test(`completed ${sizes.completions} times by replicas, links and repeated requests at once`, async (t) => {
  const { first, second, recorder } = await startReplicas(t)
  // Deadlocks of two replicas are answered 503 when they take too long, and then the client repeats the request.
  const [client, other] = [first, second].map(({ app }) => createClient(app.url, { tries: 5 })) as [Client, Client]
  const links = new Map<number, PromiseWithResolvers<string>>()
  const linkOf = (id: number) => links.get(id) ?? links.set(id, Promise.withResolvers()).get(id)
  recorder.answer = (message) => {
    const path = message.links?.complete.replace('https://tasks.example.org', '')
    linkOf(message.task.id)?.resolve(path as string)
    return undefined
  }
  for (let round = 0; round < sizes.completions; round++) {
    const expiry_dt = new Date(Date.now() + 60_000).toISOString() // it fires at once
    const draft = { title: `Round ${round}`, key: 'raced', expiry_dt, recurrence: { rule: 'FREQ=DAILY' } }
    const { id } = await client.createTask(draft)
    const link = await linkOf(id)?.promise
    const underKey = ({ app }: typeof first, init: RequestInit = {}) =>
      fetch(`${app.url}/v1/tasks/${id}/complete`, {
        method: 'POST',
        headers: { 'idempotency-key': `"round ${round}"` },
        ...init,
      })
    const ways = [
      () => client.completeTask(id),
      () => other.completeTask(id),
      () => fetch(`${second.app.url}${link}`, { method: 'POST' }),
      () => other.updateTasks({ tasks: [{ id, completed_dt: new Date().toISOString() }] }),
      // Its answer is lost; then it is asked again, of another replica.
      async () => {
        const lost = new AbortController()
        const request = underKey(first, { signal: lost.signal }).catch(() => undefined)
        setImmediate(() => lost.abort())
        await once(lost.signal, 'abort')
        const { status } = await underKey(second)
        assert.ok([200, 409, 503].includes(status), `${status}`) // 409: the first is still in progress
        await request
      },
    ]
    const turned = [...ways.slice(round % ways.length), ...ways.slice(0, round % ways.length)]
    await Promise.all(turned.map((complete) => complete()))
    const { tasks } = await client.listTasks()
    assert.deepEqual(
      tasks.map((task) => [task.id === id, task.completed_dt === null, task.previous_id, task.next_id, task.key]),
      [
        [true, false, null, tasks[1]?.id, null],
        [false, true, id, null, 'raced'],
      ],
      `round ${round}`,
    )
    await client.deleteTasks()
  }
})

test(`put by its key ${sizes.completions} times at once: a repeated PUT means the task that it completed`, async (t) => {
  const { first, second } = await startReplicas(t)
  const [client, other] = [first, second].map(({ app }) => createClient(app.url, { tries: 5 })) as [Client, Client]
  for (let round = 0; round < sizes.completions; round++) {
    const draft = { title: 'x', key: 'put', expiry_dt: '2099-12-01T09:00Z', recurrence: { rule: 'FREQ=DAILY' } }
    const { id } = await client.createTask(draft)
    const put = { completed_dt: new Date().toISOString(), ...(round % 2 === 0 && { title: 'x' }) }
    const answers = await Promise.all([client, other].map((one) => one.putTaskByKey('put', put)))
    answers.push(await other.putTaskByKey('put', put))
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.deepEqual([answers[0]?.id, answers[0]?.version], [id, 2])
    const { tasks } = await client.listTasks()
    assert.equal(tasks.length, 2, `round ${round}`)
    // Another completion means the next one.
    const later = new Date(Date.parse(put.completed_dt) + 1).toISOString()
    assert.equal((await client.putTaskByKey('put', { completed_dt: later })).id, tasks[1]?.id)
    await client.deleteTasks()
  }
})

test('a thousand recurring tasks are completed, and reopened, in a few statements', async (t) => {
  let statements = 0
  const { client } = await startTestApp(t, {
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, (_, run) => {
        statements++
        return run()
      }),
  })
  const draft = { title: 'x', expiry_dt: '2026-12-24T18:00Z', recurrence: { rule: 'FREQ=DAILY' }, reminders: [] }
  const drafts = Array.from({ length: 1_000 }, (_, i) => ({ ...draft, ...(i % 2 === 0 && { key: `key ${i}` }) }))
  const made = (await client.createTasks({ tasks: drafts })).tasks as { id: number }[]
  const write = async (completed_dt: string | null) => {
    statements = 0
    const { tasks } = await client.updateTasks({ tasks: made.map(({ id }) => ({ id, completed_dt })) })
    return { tasks, used: statements }
  }

  const done = await write('2026-12-01T09:00Z')
  // SQLite takes a hundred rows at a time, and twenty for the search index: its statements are prepared.
  assert.ok(done.used <= (testDatabase === 'sqlite' ? 120 : 20), `${done.used} statements`)
  const open = (await client.listTasks({ status: 'open' })).tasks
  assert.deepEqual(
    open.map((task) => [task.previous_id, task.expiry_dt, task.key]),
    made.map(({ id }, i) => [id, '2026-12-25T18:00:00.000Z', drafts[i]?.key ?? null]),
  )
  assert.deepEqual(
    done.tasks.map(({ next_id, key }) => [next_id, key]),
    open.map(({ id }) => [id, null]),
  )

  const reopened = await write(null)
  assert.ok(reopened.used <= 60, `${reopened.used} statements`)
  assert.deepEqual(
    (await client.listTasks()).tasks.map(({ id, next_id, key }) => [id, next_id, key]),
    made.map(({ id }, i) => [id, null, drafts[i]?.key ?? null]),
  )
  t.diagnostic(`${done.used} statements to complete, ${reopened.used} to reopen`)
})
