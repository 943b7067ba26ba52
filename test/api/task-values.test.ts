import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'
import { startAt } from './tasks.ts'

/** Times, durations and limits of the members of a task. */

test('a time', async (t) => {
  const { client } = await startTestApp(t, { startAt, flags: ['--time-zone=Europe/Paris'] })

  const read: [text: string, at: string, words: string, time_zone?: string][] = [
    ['2027-03-01T10:00:00Z', '2027-03-01T10:00:00.000Z', 'UTC'],
    ['2027-03-01T10:00:00+05:30', '2027-03-01T04:30:00.000Z', 'an offset'],
    ['2027-03-01t10:00:00.5z', '2027-03-01T10:00:00.500Z', 'small letters and a fraction, as RFC 3339 allows'],
    ['2027-03-01T10:00:00.123999999Z', '2027-03-01T10:00:00.123Z', 'more than milliseconds are cut off'],
    ['2027-03-01T10:00', '2027-03-01T09:00:00.000Z', 'without an offset: local, with T'],
    ['2027-03-01 10:00:00', '2027-03-01T09:00:00.000Z', 'without an offset: local, with a space'],
    ['2027-03-01 10:00:00+05:30', '2027-03-01T04:30:00.000Z', 'an offset behind a space'],
    ['2027-07-01T10:00', '2027-07-01T08:00:00.000Z', 'local in summer'],
    ['2027-03-01', '2027-02-28T23:00:00.000Z', 'a date: 00:00 there'],
    ['2028-02-29', '2028-02-28T23:00:00.000Z', 'a leap day'],
    ['2027-03-28T02:30', '2027-03-28T01:30:00.000Z', 'in the gap of spring: the later, 03:30'],
    ['2027-10-31T02:30', '2027-10-31T00:30:00.000Z', 'in the fold of autumn: the earlier'],
    ['2027-10-31T02:30+01:00', '2027-10-31T01:30:00.000Z', 'in the fold, the other one by its offset'],
    ['2027-03-01T10:00[Asia/Tokyo]', '2027-03-01T01:00:00.000Z', 'a zone', 'Asia/Tokyo'],
    ['2027-03-01[Asia/Tokyo]', '2027-02-28T15:00:00.000Z', 'a date and a zone', 'Asia/Tokyo'],
    ['2027-03-01T10:00+09:00[Asia/Tokyo]', '2027-03-01T01:00:00.000Z', 'a zone and its offset', 'Asia/Tokyo'],
    ['2027-03-01T10:00Z[Asia/Tokyo]', '2027-03-01T10:00:00.000Z', 'an instant and a zone', 'Asia/Tokyo'],
    ['2027-03-14T02:30[America/New_York]', '2027-03-14T07:30:00.000Z', 'a gap over there', 'America/New_York'],
    ['2027-11-07T01:30[America/New_York]', '2027-11-07T05:30:00.000Z', 'a fold over there', 'America/New_York'],
    ['0001-01-03T00:00:00Z', '0001-01-03T00:00:00.000Z', 'about the earliest'],
    ['9999-12-30T00:00:00Z', '9999-12-30T00:00:00.000Z', 'the latest'],
  ]
  for (const [text, at, words, time_zone = null] of read) {
    await t.test(`${text} is ${at} (${words})`, async () => {
      const task = await client.createTask({ title: words, expiry_dt: text })
      assert.deepEqual([task.expiry_dt, task.time_zone], [at, time_zone])
      assert.deepEqual(await client.getTask(task.id), task)
    })
  }

  await t.test('without an offset is in the zone of the task, if it has or gets one', async () => {
    const { id, expiry_dt } = await client.createTask({
      title: 'x',
      time_zone: 'Asia/Tokyo',
      expiry_dt: '2027-03-01T10:00',
    })
    assert.equal(expiry_dt, '2027-03-01T01:00:00.000Z')
    assert.equal((await client.updateTask(id, { expiry_dt: '2027-03-02' })).expiry_dt, '2027-03-01T15:00:00.000Z')
    const both = { expiry_dt: '2027-03-02 10:00', time_zone: 'America/New_York' }
    assert.equal((await client.updateTask(id, both)).expiry_dt, '2027-03-02T15:00:00.000Z')
    const none = { expiry_dt: '2027-03-02 10:00', time_zone: null }
    assert.equal((await client.updateTask(id, none)).expiry_dt, '2027-03-02T09:00:00.000Z')
  })

  await t.test('stays the same instant if only the zone changes', async () => {
    const task = await client.createTask({ title: 'x', expiry_dt: '2027-03-01T10:00' })
    const moved = await client.updateTask(task.id, { time_zone: 'Asia/Tokyo' })
    assert.deepEqual(moved, { ...task, time_zone: 'Asia/Tokyo', version: 2 })
  })

  await t.test('with a zone moves the task there', async () => {
    const { id } = await client.createTask({ title: 'x', time_zone: 'Asia/Tokyo' })
    const moved = await client.updateTask(id, { expiry_dt: '2027-03-01T10:00[America/New_York]' })
    assert.deepEqual([moved.expiry_dt, moved.time_zone], ['2027-03-01T15:00:00.000Z', 'America/New_York'])
  })

  await t.test('is refused if its offset and its zone contradict each other', async () => {
    const contradictions = [
      { expiry_dt: '2027-03-01T10:00+01:00[Asia/Tokyo]' },
      { expiry_dt: '2027-03-28T02:30+01:00[Europe/Paris]' }, // in the gap no clock shows 02:30
      { expiry_dt: '2027-03-01T10:00[Asia/Tokyo]', time_zone: 'Europe/Paris' },
    ]
    for (const draft of contradictions) {
      const { status, problem } = await refusal(client.createTask({ title: 'x', ...draft }))
      assert.equal(status, 422, JSON.stringify(draft))
      assert.equal(problem.errors?.[0]?.pointer, '/expiry_dt')
    }
  })

  await t.test('a zone is kept under its usual spelling', async () => {
    assert.equal((await client.createTask({ title: 'x', time_zone: 'europe/PARIS' })).time_zone, 'Europe/Paris')
  })

  await t.test('completed_dt and reminders accept the same forms', async () => {
    const task = await client.createTask({
      title: 'x',
      time_zone: 'Asia/Tokyo',
      expiry_dt: '2027-03-01',
      completed_dt: '2026-12-01 10:00',
      reminders: ['2027-02-27', '2027-02-28T09:00', '2027-02-28T09:00Z', 'P1D'],
    })
    assert.equal(task.completed_dt, '2026-12-01T01:00:00.000Z')
    assert.deepEqual(task.reminders, [
      '2027-02-26T15:00:00.000Z',
      '2027-02-28T00:00:00.000Z',
      '2027-02-28T09:00:00.000Z',
      'P1D',
    ])
    assert.equal(task.time_zone, 'Asia/Tokyo')
  })
})

test('a reminder may be any duration up to ten years', async (t) => {
  const { client } = await startTestApp(t, { startAt })
  const reminders = ['PT0S', 'PT90S', 'PT15M', 'PT1.5H', 'PT0,5H', 'P1D', 'P2W', 'P1M', 'P1Y2M3DT4H5M6S', 'P10Y']
  const task = await client.createTask({ title: 'x', expiry_dt: '2040-01-01', reminders })
  assert.deepEqual(task.reminders, reminders)
})

test('a value at the limit is accepted, and one above is refused', async (t) => {
  const { client, url } = await startTestApp(t, { startAt })
  const of = <T>(length: number, make: (i: number) => T) => Array.from({ length }, (_, i) => make(i))
  const limits: [words: string, member: string, fits: object, exceeds: object][] = [
    ['500 characters of title', '/title', { title: 'x'.repeat(500) }, { title: 'x'.repeat(501) }],
    ['500 astral characters of title', '/title', { title: '🔔'.repeat(500) }, { title: '🔔'.repeat(501) }],
    [
      '65,536 bytes of description',
      '/description',
      { description: 'x'.repeat(65_536) },
      { description: 'x'.repeat(65_537) },
    ],
    [
      '65,536 bytes of description that are fewer characters',
      '/description',
      { description: 'é'.repeat(32_768) },
      { description: `${'é'.repeat(32_768)}x` },
    ],
    ['20 tags', '/tags', { tags: of(20, (i) => `tag ${i}`) }, { tags: of(21, (i) => `tag ${i}`) }],
    ['50 characters a tag', '/tags/0', { tags: ['🔔'.repeat(50)] }, { tags: ['🔔'.repeat(51)] }],
    ['10 reminders', '/reminders', { reminders: of(10, (i) => `PT${i}M`) }, { reminders: of(11, (i) => `PT${i}M`) }],
    ['200 characters of key', '/key', { key: '🔔'.repeat(200) }, { key: '🔔'.repeat(201) }],
    ['255 characters of uid', '/uid', { uid: '🔔'.repeat(255) }, { uid: '🔔'.repeat(256) }],
    ['a character of title', '/title', { title: ' ' }, { title: '' }],
    ['a character of a tag', '/tags/0', { tags: [' '] }, { tags: [''] }],
  ]
  for (const [words, pointer, fits, exceeds] of limits) {
    await t.test(words, async () => {
      const task = await client.createTask({ title: 'x', ...fits })
      assert.deepEqual({ ...task, ...fits }, task)
      assert.deepEqual(await client.getTask(task.id), task)

      const { status, problem } = await refusal(client.createTask({ title: 'x', ...exceeds }))
      assert.equal(status, 422)
      assert.deepEqual(
        problem.errors?.map((error) => error.pointer),
        [pointer],
      )
      if (pointer === '/uid') return // read-only from then on
      const { status: onUpdate } = await refusal(client.updateTask(task.id, exceeds))
      assert.equal(onUpdate, 422)
      assert.deepEqual(await client.getTask(task.id), task)
    })
  }

  await t.test('1 MiB of body, counted or in chunks', async () => {
    const send = wireTo(url)
    const padded = (length: number) => `{"title":"x"${' '.repeat(length - 13)}}`
    const mebibyte = 1024 * 1024
    assert.equal((await send('POST', '/v1/tasks', { body: padded(mebibyte) })).status, 200)
    assertProblem(await send('POST', '/v1/tasks', { body: padded(mebibyte + 1) }), 413)
    assertProblem(await send('PUT', '/v1/tasks', { body: padded(2 * mebibyte) }), 413)
    for (const [length, status] of [
      [mebibyte, 200],
      [mebibyte + 1, 413],
    ] as const) {
      const bytes = new TextEncoder().encode(padded(length))
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < length; at += 65_536) controller.enqueue(bytes.subarray(at, at + 65_536))
          controller.close()
        },
      })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${url}/v1/tasks`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
      assert.equal(response.status, status)
      await response.text()
    }
  })
})
