import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

const startAt = '2026-12-01T09:00:00Z'

test('upcoming reminders', async (t) => {
  const { client, clock, url, recorder, app } = await startTestApp(t, { startAt })
  const list = async (query: Parameters<typeof client.listUpcoming>[0] = {}) =>
    (await client.listUpcoming(query)).upcoming.map(({ title, due_dt }) => `${title} ${due_dt.slice(0, 16)}`)

  await t.test('are an empty list if there are none', async () => {
    assert.deepEqual(await client.listUpcoming(), { upcoming: [], until_dt: '2026-12-02T09:00:00.000Z', more: false })
  })

  const { id } = await client.createTask({
    title: 'Early',
    expiry_dt: '2026-12-01T10:00:00Z',
    reminders: ['PT15M', 'PT0S'],
  })
  await client.createTask({ title: 'Between', expiry_dt: '2026-12-01T10:05:00Z' })
  await client.createTask({ title: 'Tomorrow', expiry_dt: '2026-12-02T09:15:00Z' })
  await client.createTask({ title: 'Later', expiry_dt: '2026-12-02T09:15:00.001Z' })
  await client.createTask({ title: 'Silent', expiry_dt: '2026-12-01T10:00:00Z', reminders: [] })
  const done = await client.createTask({ title: 'Done', expiry_dt: '2026-12-01T10:00:00Z' })
  await client.completeTask(done.id)
  const gone = await client.createTask({ title: 'Gone', expiry_dt: '2026-12-01T10:00:00Z' })
  await client.deleteTask(gone.id)
  const all = [
    'Early 2026-12-01T09:45',
    'Between 2026-12-01T09:50',
    'Early 2026-12-01T10:00',
    'Tomorrow 2026-12-02T09:00',
  ]

  await t.test('within a day are in order, with their tasks and channels', async () => {
    const { upcoming, until_dt, more } = await client.listUpcoming()
    assert.deepEqual(
      upcoming.map(({ title, due_dt }) => `${title} ${due_dt.slice(0, 16)}`),
      all,
    )
    assert.deepEqual([until_dt, more], ['2026-12-02T09:00:00.000Z', false])
    const [first, , third] = upcoming
    const channels = [
      { id: 1, name: 'console', kind: 'console' },
      { id: 2, name: 'recording', kind: 'recording' },
    ]
    assert.deepEqual(first, {
      task_id: id,
      title: 'Early',
      expiry_dt: '2026-12-01T10:00:00.000Z',
      expiry_date: null,
      reminder: 'PT15M',
      due_dt: '2026-12-01T09:45:00.000Z',
      kind: 'expiring',
      occurrence: null,
      is_projected: false,
      channels,
    })
    assert.deepEqual([third?.reminder, third?.kind], ['PT0S', 'expired'])
  })

  await t.test('are limited as requested, and the response says whether there are more', async () => {
    for (const limit of [1, 2, 3]) {
      const answer = await client.listUpcoming({ limit })
      assert.deepEqual([await list({ limit }), answer.more], [all.slice(0, limit), true])
    }
    assert.equal((await client.listUpcoming({ limit: 4 })).more, false)
    assert.deepEqual(await list({ until: '2026-12-01T09:50:00Z' }), all.slice(0, 2))
    assert.deepEqual(await list({ until: '2026-12-01T09:49:59.999' }), all.slice(0, 1))
    assert.deepEqual(await list({ until: '2026-12-01' }), [], 'the past')
    assert.equal((await list({ until: '2027-01-01' })).length, 5)
  })

  await t.test('fire as listed, and then are no longer upcoming', async () => {
    await clock.advanceTo('2026-12-01T09:45:00Z')
    assert.equal(recorder.take().length, 1)
    assert.deepEqual(await list({ until: '2026-12-02T09:00:00Z' }), all.slice(1))
    await client.snoozeTask(id, { until: '2026-12-01T09:47:00Z' })
    const [nap] = (await client.listUpcoming({ limit: 1 })).upcoming
    assert.deepEqual([nap?.due_dt, nap?.reminder, nap?.kind], ['2026-12-01T09:47:00.000Z', null, 'snooze'])
  })

  await t.test('that are overdue are due now, the longest overdue first', async () => {
    await app.idle()
    const { store } = app
    // The view of another replica just before the reminder fires. Without a wake the loop here keeps sleeping.
    clock.set('2026-12-01T09:55:00Z')
    const { upcoming } = await client.listUpcoming({ until: '2026-12-01T10:00:00Z' })
    assert.deepEqual(
      upcoming.map(({ title, due_dt, reminder }) => [title, due_dt, reminder]),
      [
        ['Early', '2026-12-01T09:55:00.000Z', null],
        ['Between', '2026-12-01T09:55:00.000Z', 'PT15M'],
        ['Early', '2026-12-01T10:00:00.000Z', 'PT0S'],
      ],
    )
    assert.equal((await store.db.selectFrom('notifications').selectAll().execute()).length, 1, 'to ask rings nothing')
  })

  await t.test('are selected by a time and a limit', async () => {
    const send = wireTo(url)
    for (const bad of ['limit=0', 'limit=1001', 'until=soon', 'from=now'])
      assertProblem(await send('GET', `/v1/upcoming?${bad}`), 400, bad.split('=')[0])
  })
})

test('are the same for every limit: a task may fire again before others do for the first time', async (t) => {
  const { client, clock } = await startTestApp(t, { startAt })
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let i = 0; i < 60; i++) {
    const expiry = clock.now() + (61 + random(600)) * 60_000
    const reminders = ['PT0S', 'PT15M', 'PT20M', 'PT60M'].filter(() => random(2) === 0)
    await client.createTask({ title: `${i}`, expiry_dt: new Date(expiry).toISOString(), reminders })
  }
  const all = (await client.listUpcoming({ limit: 1_000 })).upcoming
  assert.ok(all.length > 60)
  assert.deepEqual(
    all.map(({ due_dt }) => due_dt),
    all.map(({ due_dt }) => due_dt).toSorted(),
  )
  for (let limit = 1; limit <= all.length; limit += 7)
    assert.deepEqual((await client.listUpcoming({ limit })).upcoming, all.slice(0, limit))
})
