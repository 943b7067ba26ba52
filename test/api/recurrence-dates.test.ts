import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** The dates to come: skip, the dates of a task, previews of rules, and upcoming reminders. The clock stands at 2026-12-01T09:00Z. */

const daily = { rule: 'FREQ=DAILY' }

test('skip moves a task to its next occurrence', async (t) => {
  const { client, clock, url } = await startTestApp(t)
  const send = wireTo(url)

  await t.test('after now and its expiry, without completing it', async () => {
    const reminders = ['PT1H', '2026-12-01T12:00:00Z']
    const draft = { title: 'x', expiry_dt: '2026-12-03T18:00Z', recurrence: daily, reminders, key: 'skipped' }
    const task = await client.createTask(draft)
    await client.snoozeTask(task.id, { for: 'PT1H' })
    const skipped = await client.skipTask(task.id)
    assert.deepEqual(skipped, {
      ...task,
      expiry_dt: '2026-12-04T18:00:00.000Z',
      reminders: ['PT1H'],
      occurrence: 2,
      version: 3,
      update_dt: skipped.update_dt,
    })
    await clock.advanceTo('2026-12-04T17:00:00Z')
    const { notifications } = await client.listTaskNotifications(task.id)
    assert.deepEqual(
      notifications.map(({ due_dt }) => due_dt),
      ['2026-12-04T17:00:00.000Z'],
    )
    await clock.advanceTo('2026-12-10T20:00:00Z')
    assert.equal((await client.skipTask(task.id)).expiry_dt, '2026-12-11T18:00:00.000Z')
  })

  await t.test('from completion: as if it were completed at its expiry', async () => {
    const recurrence = { rule: 'FREQ=DAILY;INTERVAL=3', from: 'completion' as const }
    const { id } = await client.createTask({ title: 'x', expiry_date: '2026-12-20', recurrence })
    assert.equal((await client.skipTask(id)).expiry_date, '2026-12-23')
    assert.equal((await client.skipTask(id)).expiry_date, '2026-12-26')
  })

  await t.test('is refused where there is nothing to skip to', async () => {
    const create = (recurrence: typeof daily | null) =>
      client.createTask({ title: 'x', expiry_dt: '2026-12-30T18:00Z', recurrence })
    const plain = await create(null)
    const last = await create({ rule: 'FREQ=DAILY;COUNT=1' })
    const done = await create(daily)
    await client.completeTask(done.id)
    for (const { id } of [plain, last, done]) assert.equal((await refusal(client.skipTask(id))).status, 409)
    assert.equal((await refusal(client.skipTask(4711))).status, 404)
  })

  await t.test('takes If-Match and an Idempotency-Key, as the other verbs do', async () => {
    const { id } = await client.createTask({ title: 'x', expiry_dt: '2026-12-30T18:00Z', recurrence: daily })
    const path = `/v1/tasks/${id}/skip`
    assert.equal((await send('POST', path, { headers: { 'if-match': '"7"' } })).status, 412)
    for (let i = 0; i < 2; i++) {
      const { status, body, headers } = await send('POST', path, { headers: { 'idempotency-key': '"once"' } })
      assert.deepEqual([status, body.expiry_dt, headers.get('etag')], [200, '2026-12-31T18:00:00.000Z', '"2"'])
    }
  })
})

test('the dates of a task are its expiry and what follows', async (t) => {
  const { client } = await startTestApp(t)
  const create = (more: object) => client.createTask({ title: 'x', expiry_dt: '2026-12-01T18:00Z', ...more })

  const { id } = await create({ recurrence: { rule: 'FREQ=DAILY;COUNT=12' } })
  const { dates, ...rest } = await client.listOccurrences(id)
  assert.deepEqual(rest, { rule: 'FREQ=DAILY;COUNT=12', recurrence_text: 'every day, 12 times' })
  assert.deepEqual([dates.length, dates[0], dates[9]], [10, '2026-12-01T18:00:00.000Z', '2026-12-10T18:00:00.000Z'])
  assert.equal((await client.listOccurrences(id, { limit: 100 })).dates.length, 12)
  assert.deepEqual((await client.listOccurrences(id, { limit: 1 })).dates, dates.slice(0, 1))
  for (const limit of [0, 101]) assert.equal((await refusal(client.listOccurrences(id, { limit }))).status, 400)

  const day = await create({ expiry_dt: undefined, expiry_date: '2026-12-30', recurrence: daily })
  assert.deepEqual((await client.listOccurrences(day.id, { limit: 3 })).dates, [
    '2026-12-30',
    '2026-12-31',
    '2027-01-01',
  ])

  const late = await create({ expiry_dt: '2026-11-20T18:00Z', recurrence: { ...daily, from: 'completion' } })
  assert.deepEqual((await client.listOccurrences(late.id, { limit: 3 })).dates, [
    '2026-11-20T18:00:00.000Z',
    '2026-12-02T18:00:00.000Z',
    '2026-12-03T18:00:00.000Z',
  ])

  const plain = await create({})
  assert.deepEqual(await client.listOccurrences(plain.id), {
    rule: null,
    recurrence_text: null,
    dates: ['2026-12-01T18:00:00.000Z'],
  })
  assert.deepEqual((await client.listOccurrences((await create({ expiry_dt: null })).id)).dates, [])
})

test('a preview shows the dates of a rule, and stores nothing', async (t) => {
  const { client } = await startTestApp(t)

  await t.test('as in RFC 5545 section 3.8.5.3, with the start', async () => {
    const preview = await client.previewRecurrence({
      rule: 'FREQ=DAILY;COUNT=10',
      start_dt: '1997-09-02T09:00[America/New_York]',
    })
    assert.deepEqual([preview.rule, preview.recurrence_text], ['FREQ=DAILY;COUNT=10', 'every day, 10 times'])
    assert.deepEqual([preview.dates.length, preview.dates[0]], [10, '1997-09-02T13:00:00.000Z'])
    const monday = { rule: 'FREQ=WEEKLY;BYDAY=MO', start_date: '2026-12-01', limit: 2 }
    assert.deepEqual((await client.previewRecurrence(monday)).dates, ['2026-12-07', '2026-12-14'])
  })

  await t.test('from now, in a zone', async () => {
    const { dates } = await client.previewRecurrence({ ...daily, time_zone: 'Asia/Tokyo', limit: 1 })
    assert.deepEqual(dates, ['2026-12-01T09:00:00.000Z'])
    const local = { ...daily, start_dt: '2026-12-01T09:00', time_zone: 'Asia/Tokyo', limit: 1 }
    assert.deepEqual((await client.previewRecurrence(local)).dates, ['2026-12-01T00:00:00.000Z'])
  })

  await t.test('of words', async () => {
    assert.deepEqual(await client.previewRecurrence({ text: 'every other Monday at 9am', limit: 2 }), {
      rule: 'FREQ=WEEKLY;INTERVAL=2;BYDAY=MO',
      recurrence_text: 'every 2 weeks on Monday',
      dates: ['2026-12-07T09:00:00.000Z', '2026-12-21T09:00:00.000Z'],
    })
    const fromCompletion = await client.previewRecurrence({ text: 'every! 3 days', start_date: '2026-12-05', limit: 2 })
    assert.deepEqual(
      [fromCompletion.recurrence_text, fromCompletion.dates],
      ['3 days after completion', ['2026-12-05', '2026-12-08']],
    )
  })

  await t.test('names what is wrong', async () => {
    const cases: [object, string][] = [
      [{}, ''],
      [{ ...daily, text: 'every day' }, ''],
      [{ rule: 'FREQ=SECONDLY' }, '/rule'],
      [{ rule: 'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31' }, '/rule'],
      [{ text: 'tomorrow' }, '/text'],
      [{ ...daily, start_dt: 'soon' }, '/start_dt'],
      [{ ...daily, start_dt: '2026-12-01T09:00[Europe/Paris]', time_zone: 'Asia/Tokyo' }, '/start_dt'],
      [{ ...daily, start_date: '2026-02-30' }, '/start_date'],
      [{ ...daily, start_date: '2026-12-01', start_dt: '2026-12-01' }, '/start_date'],
      [{ ...daily, time_zone: 'Mars' }, '/time_zone'],
      [{ ...daily, limit: 101 }, '/limit'],
      [{ ...daily, start: 'now' }, '/start'],
    ]
    for (const [body, pointer] of cases) {
      const { status, problem } = await refusal(client.previewRecurrence(body))
      assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, pointer], JSON.stringify(body))
    }
    assert.deepEqual((await client.listTasks()).tasks, [])
  })
})

test('upcoming shows the reminders of occurrences that do not exist yet', async (t) => {
  const { client, clock } = await startTestApp(t)
  const weekly = { title: 'Weekly', expiry_dt: '2026-12-02T10:00Z', recurrence: { rule: 'FREQ=WEEKLY' } }
  const { id } = await client.createTask({ ...weekly, reminders: ['PT1H', 'PT0S', '2026-12-05T00:00Z'] })
  await client.createTask({ title: 'Once', expiry_dt: '2026-12-10T10:00Z' })
  await client.createTask({ title: 'Silent', expiry_dt: '2026-12-02T10:00Z', recurrence: daily, reminders: [] })
  const overdue = { title: 'Overdue', expiry_dt: '2026-11-01T10:00Z', recurrence: { rule: 'FREQ=WEEKLY;COUNT=7' } }
  await client.createTask({ ...overdue, reminders: ['PT0S'] })
  await clock.whenIdle() // it has fired
  const list = async (query: object) => {
    const { upcoming, more } = await client.listUpcoming({ until: '2026-12-17T00:00Z', occurrences: true, ...query })
    return {
      more,
      upcoming: upcoming.map((one) => [one.due_dt.slice(5, 16), one.title, one.occurrence, one.is_projected]),
    }
  }
  const all = [
    ['12-02T09:00', 'Weekly', 1, false],
    ['12-02T10:00', 'Weekly', 1, false],
    ['12-05T00:00', 'Weekly', 1, false],
    ['12-06T10:00', 'Overdue', 2, true],
    ['12-09T09:00', 'Weekly', 2, true],
    ['12-09T10:00', 'Weekly', 2, true],
    ['12-10T09:45', 'Once', null, false],
    ['12-13T10:00', 'Overdue', 3, true],
    ['12-16T09:00', 'Weekly', 3, true],
    ['12-16T10:00', 'Weekly', 3, true],
  ]
  assert.deepEqual(await list({}), { more: false, upcoming: all })
  for (const limit of [1, 4, 6, 9])
    assert.deepEqual(await list({ limit }), { more: true, upcoming: all.slice(0, limit) })
  const real = all.filter(([, , , isProjected]) => !isProjected)
  assert.deepEqual((await list({ occurrences: false })).upcoming, real)
  const { upcoming } = await client.listUpcoming({ until: '2026-12-17T00:00Z', occurrences: true })
  const projected = upcoming.find((one) => one.is_projected && one.title === 'Weekly')
  assert.deepEqual([projected?.task_id, projected?.expiry_dt], [id, '2026-12-09T10:00:00.000Z'])
})

test('upcoming is bounded, whatever rules there are', async (t) => {
  const { client } = await startTestApp(t)
  const draft = { title: 'x', expiry_dt: '2026-12-02T10:00Z', recurrence: daily }
  await client.createTasks({ tasks: Array.from({ length: 100 }, () => ({ ...draft, reminders: ['P9Y'] })) })
  // Each has 3,287 occurrences before the first whose reminder lies ahead, and 10,000 are computed for all of them.
  const { upcoming, more } = await client.listUpcoming({ until: '2026-12-02', occurrences: true, limit: 1_000 })
  const projected = upcoming.filter((one) => one.is_projected)
  assert.ok(projected.length > 0 && projected.length < 100, `${projected.length}`)
  assert.equal(more, true, 'and it says so')
})
