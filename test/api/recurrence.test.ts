import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { taskChangesSince } from '#store/changes.ts'
import { builtInUserId } from '#store/users.ts'
import { startTestApp, type TestApp } from '#support/test-app.ts'

/** Recurring tasks: what completing, reopening and editing one does. The clock stands at 2026-12-01T09:00Z, a Tuesday. */

const daily = { rule: 'FREQ=DAILY' }
const rent = { title: 'Pay rent', expiry_dt: '2026-12-01T18:00[Europe/Paris]', recurrence: daily }

/** The kind and task of the last two changes, without notifications. */
async function lastChanges({ app }: TestApp) {
  const changes = await taskChangesSince(app.store.db, builtInUserId, 0, 1_000)
  return changes.slice(-2).map(({ kind, taskId }) => [kind, taskId])
}

test('the members of a recurring task', async (t) => {
  const { client } = await startTestApp(t)

  await t.test('say its rule, in words too, and its place in the series', async () => {
    const task = await client.createTask({ ...rent, recurrence: { rule: 'freq=monthly;bymonthday=1' } })
    assert.deepEqual(
      [task.recurrence, task.recurrence_text, task.occurrence, task.previous_id, task.next_id],
      [{ rule: 'freq=monthly;bymonthday=1', from: 'expiry' }, 'every month on the 1st', 1, null, null],
    )
    assert.deepEqual(await client.getTask(task.id), task)
    assert.deepEqual(await client.updateTask(task.id, task), task, 'sent back as it was read, it stays')
  })

  await t.test('a rule is refused that is none, or never happens', async () => {
    const faultOf = async (recurrence: object, more: object = {}) => {
      const { status, problem } = await refusal(client.createTask({ ...rent, recurrence, ...more } as typeof rent))
      return [status, problem.errors?.map(({ pointer }) => pointer)]
    }
    for (const rule of ['FREQ=HOURLY', 'daily', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', 'FREQ=DAILY;UNTIL=20200101'])
      assert.deepEqual(await faultOf({ rule }), [422, ['/recurrence/rule']], rule)
    assert.deepEqual(await faultOf({ rule: 'x'.repeat(501) }), [422, ['/recurrence/rule']])
    assert.deepEqual(await faultOf({ ...daily, from: 'now' }), [422, ['/recurrence/from']])
    assert.deepEqual(await faultOf({ ...daily, every: 2 }), [422, ['/recurrence/every']])
    assert.deepEqual(await faultOf(daily, { expiry_dt: null }), [422, ['/recurrence']])
    assert.deepEqual(await faultOf(daily, { expiry_dt: undefined, expiry_date: '2026-02-30' }), [422, ['/expiry_date']])
  })

  await t.test('it needs an expiry as long as it recurs', async () => {
    const { id } = await client.createTask(rent)
    const { status, problem } = await refusal(client.updateTask(id, { expiry_dt: null }))
    assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, '/recurrence'])
    const task = await client.updateTask(id, { expiry_dt: null, recurrence: null })
    assert.deepEqual([task.expiry_dt, task.recurrence, task.recurrence_text, task.occurrence], [null, null, null, null])
  })
})

test('completing a recurring task creates the next one', async (t) => {
  const app = await startTestApp(t)
  const { client, clock, recorder } = app

  await t.test('with what the user gave it, at the next wall time of its zone', async () => {
    const first = await client.createTask({
      ...rent,
      key: 'rent',
      description: 'by transfer',
      tags: ['home'],
      priority: 'high',
      reminders: ['PT1H', '2026-12-01T12:00:00Z'],
    })
    const done = await client.completeTask(first.id)
    const next = await client.getTask(done.next_id as number)
    const { id, uid, update_dt: _, ...rest } = first
    assert.deepEqual(done, {
      ...first,
      key: null,
      completed_dt: '2026-12-01T09:00:00.000Z',
      update_dt: done.update_dt,
      version: 2,
      next_id: next.id,
    })
    assert.deepEqual(next, {
      ...rest,
      id: next.id,
      uid: next.uid,
      expiry_dt: '2026-12-02T17:00:00.000Z',
      reminders: ['PT1H'],
      occurrence: 2,
      previous_id: id,
      create_dt: done.update_dt,
      update_dt: done.update_dt,
    })
    assert.notEqual(next.uid, uid)
    assert.deepEqual((await client.getTaskByKey('rent')).id, next.id)
    assert.deepEqual(
      (await client.listTasks({ q: 'transfer', status: 'open' })).tasks.map((task) => task.id),
      [next.id],
      'a search finds it',
    )
    assert.deepEqual(await lastChanges(app), [
      ['completed', id],
      ['created', next.id],
    ])
    await clock.advanceTo('2026-12-02T16:00:00Z')
    assert.deepEqual(
      recorder.messages.map(({ task }) => task.id),
      [next.id],
      'it rings',
    )
    await client.deleteTasks()
  })

  await t.test('whichever way it is completed', async () => {
    const at = new Date(clock.now()).toISOString()
    const ways: Record<string, (id: number) => Promise<unknown>> = {
      verb: (id) => client.completeTask(id),
      PATCH: (id) => client.updateTask(id, { completed_dt: at }),
      PUT: (id) => client.putTask(id, { completed_dt: at, title: 'Paid' }),
      many: (id) => client.updateTasks({ tasks: [{ id, completed_dt: at }] }),
      key: () => client.putTaskByKey('way', { completed_dt: at }),
    }
    for (const [name, complete] of Object.entries(ways)) {
      const { id } = await client.createTask({ ...rent, key: 'way' })
      for (let i = 0; i < 2; i++) await complete(id)
      const { tasks } = await client.listTasks()
      assert.deepEqual(
        tasks.map((task) => [task.id === id, task.completed_dt === null, task.occurrence, task.key]),
        [
          [true, false, 1, null],
          [false, true, 2, 'way'],
        ],
        name,
      )
      await client.deleteTasks()
    }
  })

  await t.test('without the dates that have passed, and until COUNT or UNTIL ends it', async () => {
    await clock.advanceTo('2026-12-10T20:00:00Z')
    const nextOf = async (recurrence: { rule: string }, expiry_dt = '2026-12-01T18:00Z') => {
      const { id } = await client.createTask({ title: 'x', expiry_dt, recurrence, reminders: [] })
      const { next_id } = await client.completeTask(id)
      return next_id === null ? null : (await client.getTask(next_id)).expiry_dt
    }
    assert.equal(await nextOf(daily), '2026-12-11T18:00:00.000Z')
    assert.equal(
      await nextOf({ rule: 'FREQ=DAILY;INTERVAL=4' }),
      '2026-12-13T18:00:00.000Z',
      'in the rhythm of its start',
    )
    assert.equal(await nextOf(daily, '2026-12-24T18:00Z'), '2026-12-25T18:00:00.000Z', 'after its own expiry')
    assert.equal(await nextOf({ rule: 'FREQ=DAILY;COUNT=1' }), null)
    assert.equal(await nextOf({ rule: 'FREQ=DAILY;COUNT=10' }), null, 'dates that passed count')
    assert.equal(await nextOf({ rule: 'FREQ=DAILY;COUNT=11' }), '2026-12-11T18:00:00.000Z')
    assert.equal(await nextOf({ rule: 'FREQ=DAILY;UNTIL=20261210' }), null)
  })

  await t.test('counted from the completion, if it asks for that', async () => {
    const recurrence = { rule: 'FREQ=DAILY;INTERVAL=3;COUNT=2', from: 'completion' as const }
    const { id } = await client.createTask({ title: 'x', expiry_dt: '2026-12-01T18:00Z', recurrence })
    const done = await client.updateTask(id, { completed_dt: '2026-12-09T07:00Z' })
    const next = await client.getTask(done.next_id as number)
    assert.deepEqual([next.expiry_dt, next.occurrence], ['2026-12-12T18:00:00.000Z', 2])
    assert.equal((await client.completeTask(next.id)).next_id, null)
  })

  await t.test('a day stays a day', async () => {
    const recurrence = { rule: 'FREQ=MONTHLY;BYMONTHDAY=31;RSCALE=GREGORIAN;SKIP=BACKWARD' }
    const { id } = await client.createTask({
      title: 'x',
      expiry_date: '2027-01-31',
      time_zone: 'Asia/Tokyo',
      recurrence,
    })
    const { next_id } = await client.completeTask(id)
    const next = await client.getTask(next_id as number)
    assert.deepEqual([next.expiry_date, next.expiry_dt], ['2027-02-28', '2027-02-28T14:59:59.000Z'])
    const third = await client.getTask((await client.completeTask(next.id)).next_id as number)
    assert.equal(third.expiry_date, '2027-03-31', 'the series keeps its day')
  })
})

test('an instant is kept as wall time over a change of the clocks', async (t) => {
  const { client } = await startTestApp(t)
  const draft = { title: 'x', time_zone: 'Europe/Paris', recurrence: { rule: 'FREQ=MONTHLY' } }
  const { id } = await client.createTask({ ...draft, expiry_dt: '2027-03-15T08:00:00Z' })
  const { next_id } = await client.completeTask(id)
  assert.equal((await client.getTask(next_id as number)).expiry_dt, '2027-04-15T07:00:00.000Z')
})

test('a new expiry alone moves this occurrence; with a rule it begins a new series', async (t) => {
  const { client } = await startTestApp(t)
  const weekly = { rule: 'FREQ=WEEKLY;BYDAY=MO' }
  const nextOf = async (id: number) => client.getTask((await client.completeTask(id)).next_id as number)
  const draft = { title: 'x', expiry_dt: '2026-12-07T09:00Z', recurrence: weekly }

  const early = await client.createTask(draft)
  await client.updateTask(early.id, { expiry_dt: '2026-12-05T15:00Z' })
  assert.equal((await nextOf(early.id)).expiry_dt, '2026-12-14T09:00:00.000Z', 'not the same Monday again')

  const late = await client.createTask(draft)
  await client.updateTask(late.id, { expiry_dt: '2026-12-15T15:00Z' })
  assert.equal((await nextOf(late.id)).expiry_dt, '2026-12-21T09:00:00.000Z')

  const other = await client.createTask({ ...draft, recurrence: { rule: 'FREQ=WEEKLY;COUNT=2' } })
  const second = await nextOf(other.id)
  const moved = { expiry_dt: '2026-12-15T15:00Z', recurrence: { rule: 'FREQ=WEEKLY;COUNT=2' } }
  assert.equal((await client.updateTask(second.id, moved)).occurrence, 1)
  const third = await nextOf(second.id)
  assert.deepEqual([third.expiry_dt, third.occurrence], ['2026-12-22T15:00:00.000Z', 2])
})

test('a link in a message completes it once', async (t) => {
  const { client, app, url, recorder } = await startTestApp(t, { flags: ['--public-url=https://tasks.example.org/'] })
  const { id } = await client.createTask({ ...rent, expiry_dt: '2026-12-01T09:10Z' })
  await app.idle()
  const path = recorder.messages[0]?.links?.complete.replace('https://tasks.example.org', '') as string
  for (let i = 0; i < 2; i++) assert.equal((await wireTo(url)('POST', path)).status, 200)
  assert.deepEqual(
    (await client.listTasks()).tasks.map((task) => task.previous_id),
    [null, id],
  )
})
