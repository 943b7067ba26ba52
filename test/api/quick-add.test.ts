import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { test } from 'node:test'
import { takesRecurrence } from '#api/schemas/task-text.ts'
import { type Answer, assertProblem, wireTo } from '#kit/http-requests.ts'
import { allVectors } from '#support/quick-add-vectors.ts'
import { startTestApp } from '#support/test-app.ts'
import { takeSnapshot } from '#test/access/snapshot.ts'

/** Tasks and snoozes in words: POST /v1/tasks with a text, POST /v1/tasks/parse, and the words of a snooze. */

/** The time and zone of the vectors: 10:00 in Berlin. */
const start = { startAt: '2026-12-01T09:00:00Z', flags: ['--time-zone=Europe/Berlin'] }
/** Some vectors of each language, for the way from the request to the parser; its own tests run them all. */
const vectors = allVectors()
  .filter(({ now, zone }) => Date.parse(now) === Date.parse(start.startAt) && zone === 'Europe/Berlin')
  .filter(({ language, task }, i) => task.title !== '' && i % (language === 'en' ? 12 : 6) === 0)

const text = 'Pay rent tomorrow 9am #home !high ~1d'
const members = ({ body: { title, expiry_dt, expiry_date, time_zone, reminders, tags, priority } }: Answer) => ({
  title,
  expiry_dt,
  expiry_date,
  time_zone,
  reminders,
  tags,
  priority,
})

function pointersOf(answer: Answer): string[] {
  assertProblem(answer, 422)
  return answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)
}

test('the parser is loaded by the first text, and not by a start', async (t) => {
  const { client } = await startTestApp(t, start)
  const loaded: string[] = []
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      loaded.push(url)
      return nextLoad(url, context)
    },
  })
  t.after(() => hooks.deregister())
  const parserFiles = () => loaded.filter((url) => /chrono-node|quick-add\/quick-add\.ts/.test(url))
  const { id } = await client.createTask({ title: 'No words', expiry_dt: '2026-12-24' })
  await client.snoozeTask(id, { for: 'PT1H' })
  assert.deepEqual(parserFiles(), [])
  // Node loads a module once: what is loaded now was not loaded before.
  await client.createTaskFromText({ text })
  assert.ok(parserFiles().some((url) => url.includes('chrono-node')))
  assert.ok(parserFiles().some((url) => url.endsWith('quick-add/quick-add.ts')))
})

test('a task in words', async (t) => {
  const { client, clock, url, app } = await startTestApp(t, start)
  const send = wireTo(url)
  const create = (body: object, headers: Record<string, string> = {}) => send('POST', '/v1/tasks', { body, headers })

  await t.test('is created as its members would be, in each language', async () => {
    assert.ok(new Set(vectors.map(({ language }) => language)).size >= 5 && vectors.length >= 20)
    for (const { text, language, task, spans } of vectors) {
      const { recurrence, ...others } = task
      const draft = takesRecurrence ? task : others
      const parsed = await send('POST', '/v1/tasks/parse', { body: { text, language } })
      assert.deepEqual(parsed.body.task, draft, text)
      const isLeftOut = parsed.body.notes.some(({ code }: { code: string }) => code === 'recurrence_left_out')
      assert.equal(isLeftOut, recurrence !== undefined && !takesRecurrence, text)
      assert.deepEqual(
        parsed.body.spans.map(({ start, end, field }: { start: number; end: number; field: string }) => [
          text.slice(start, end),
          field,
        ]),
        spans,
        text,
      )
      const created = await create({ text }, { 'accept-language': language })
      assert.deepEqual(members(created), members(await create(draft)), text)
    }
  })

  await t.test('is answered as every new task, and its text is stored nowhere', async () => {
    const { status, headers, body } = await create({ text })
    assert.deepEqual([status, headers.get('location'), headers.get('etag')], [200, `/v1/tasks/${body.id}`, '"1"'])
    assert.deepEqual(await client.getTask(body.id), body)
    const minimal = await create({ text }, { prefer: 'return=minimal' })
    assert.deepEqual(Object.keys(minimal.body), ['id', 'version'])
    const rows = [...(await takeSnapshot(app.store.db)).values()].join('\n')
    assert.ok(rows.includes('Pay rent') && !rows.includes('tomorrow'))
  })

  await t.test('is read in the language of Accept-Language, and in English where none is known', async () => {
    const german = 'Zahnarzt morgen um 9 !hoch'
    for (const languages of ['de', 'de-AT,en;q=0.5', 'it, de;q=0.8, en;q=0.4', 'en;q=0.1, de'])
      assert.deepEqual(
        members(await create({ text: german }, { 'accept-language': languages })),
        members(await create({ title: 'Zahnarzt', expiry_dt: '2026-12-02T09:00', priority: 'high' })),
        languages,
      )
    for (const languages of ['it', 'en, de', ''])
      assert.equal((await create({ text: german }, { 'accept-language': languages })).body.title, german, languages)
    for (const [languages, day] of [
      ['en-GB', '2027-06-05'],
      ['en-US', '2027-05-06'],
      ['en', '2027-05-06'],
      ['de', '2027-06-05'],
    ] as const) {
      const { body } = await create({ text: 'Visa 5/6' }, { 'accept-language': languages })
      assert.equal(body.expiry_date, day, languages)
    }
  })

  await t.test('has the members beside the text in place of those in it', async () => {
    const beside = { description: 'By card', tags: ['office'], priority: 'none', key: 'rent' }
    const { body } = await create({ text, ...beside })
    assert.deepEqual({ ...body, ...beside }, body)
    assert.deepEqual([body.title, body.expiry_dt, body.reminders], ['Pay rent', '2026-12-02T08:00:00.000Z', ['P1D']])

    const none = { expiry_dt: null, expiry_date: null, time_zone: null }
    const abroad = 'Call tomorrow 9am America/New_York'
    for (const [draft, expected] of [
      [
        { text, expiry_date: '2027-01-01' },
        { expiry_dt: '2027-01-01T22:59:59.000Z', expiry_date: '2027-01-01' },
      ],
      [{ text, expiry_dt: null, reminders: [] }, { expiry_dt: null }],
      [{ text: abroad }, { expiry_dt: '2026-12-02T14:00:00.000Z', time_zone: 'America/New_York' }],
      // The zone of the text is that of its time.
      [{ text: abroad, expiry_dt: '2026-12-03T09:00' }, { expiry_dt: '2026-12-03T08:00:00.000Z' }],
      // At 10:00 in Berlin it is still the first of December there, and 23:00 the day before in Honolulu.
      [
        { text: 'Call tomorrow 9am', time_zone: 'Pacific/Honolulu' },
        { expiry_dt: '2026-12-01T19:00:00.000Z', time_zone: 'Pacific/Honolulu' },
      ],
    ] as const) {
      const { expiry_dt, expiry_date, time_zone } = (await create(draft)).body
      assert.deepEqual({ expiry_dt, expiry_date, time_zone }, { ...none, ...expected }, JSON.stringify(draft))
    }
  })

  await t.test('may stand in a list, between others', async () => {
    const list = [{ title: 'Think' }, { text, key: 'b' }, { text: 'Renew by march', priority: 'low' as const }]
    const { tasks } = await client.createTasks({ tasks: list })
    assert.deepEqual(
      tasks.map((task) => 'title' in task && [task.title, task.expiry_date, task.key, task.priority]),
      [
        ['Think', null, null, 'none'],
        ['Pay rent', null, 'b', 'high'],
        ['Renew', '2027-03-01', null, 'low'],
      ],
    )
  })

  await t.test('is created once under an Idempotency-Key, though the day has changed', async () => {
    const headers = { 'idempotency-key': 'once' }
    const first = await create({ text }, headers)
    await clock.advance(80_000_000)
    const second = await create({ text }, headers)
    assert.deepEqual(second.body, first.body)
    assert.equal(second.headers.get('idempotency-replayed'), 'true')
    assertProblem(await create({ text: 'Pay rent friday' }, headers), 422)
  })
})

test('a text that makes no task is refused at /text', async (t) => {
  const { client, url } = await startTestApp(t, start)
  const send = wireTo(url)
  const refused: readonly object[] = [
    { text, title: 'Pay rent' },
    { text, title: null },
    { text: 'tomorrow 9am #home' },
    { text: '' },
    { text: ' ' },
    { text: 7 },
    { text: null },
    { text: 'x'.repeat(501) },
    { text: 'Half a pair \ud800 tomorrow' },
    { text: 'NUL \0 tomorrow' },
  ]
  for (const body of refused) {
    const words = JSON.stringify(body).slice(0, 80)
    for (const headers of [{}, { 'idempotency-key': crypto.randomUUID() }]) {
      const single = await send('POST', '/v1/tasks', { body, headers })
      assert.deepEqual(pointersOf(single), ['/text'], words)
    }
    const inList = await send('POST', '/v1/tasks', { body: { tasks: [{ title: 'x' }, body] } })
    assert.deepEqual(pointersOf(inList), ['/tasks/1/text'], words)
  }
  const isAsUsual: readonly [body: object, pointers: readonly string[]][] = [
    [{ text, time_zone: 'Mars/Phobos' }, ['/time_zone']],
    [{ text, expiry_dt: 'soon' }, ['/expiry_dt']],
    [{ text, titel: 'x' }, ['/titel']],
    [{ tasks: [{ titel: 'x' }, { text, x: 1 }] }, ['/tasks/0/title', '/tasks/0/titel', '/tasks/1/x']],
    [{ tasks: Array(101).fill({ text }) }, ['/tasks']],
    // For a large body only the first fault is reported.
    [{ tasks: [{ title: 'x', description: 'x'.repeat(65_536) }, { text: 7 }, { text: 8 }] }, ['/tasks/1/text']],
    [{ tasks: [{ title: 7, description: 'x'.repeat(65_536) }, { text: 7 }] }, ['/tasks/0/title']],
  ]
  for (const [body, expected] of isAsUsual)
    assert.deepEqual(pointersOf(await send('POST', '/v1/tasks', { body })), expected, JSON.stringify(body).slice(0, 80))
  for (const body of [{ text: '' }, { text: 'x'.repeat(501) }, {}, { text, language: 7 }])
    assertProblem(await send('POST', '/v1/tasks/parse', { body }), 422)
  assert.equal((await client.listTasks()).tasks.length, 0)
})

test('parsing a text', async (t) => {
  const { client, url, app } = await startTestApp(t, start)
  const parse = (text: string, language?: string) => client.parseTask({ text, ...(language && { language }) })

  await t.test('changes nothing', async () => {
    await client.createTask({ title: 'Before' })
    const list = () => wireTo(url)('GET', '/v1/tasks')
    const [etag, { cursor }, rows] = [
      (await list()).headers.get('etag'),
      await client.listChanges(),
      await takeSnapshot(app.store.db),
    ]
    const { task } = await parse(text)
    assert.equal((await list()).headers.get('etag'), etag)
    assert.deepEqual((await client.listChanges({ since: cursor })).tasks, [])
    assert.deepEqual(await takeSnapshot(app.store.db), rows)
    assert.equal((await client.createTask(task)).title, 'Pay rent', 'and a create takes its task')
  })

  await t.test('answers a text without a title too, with a note, while it is being typed', async () => {
    const { task, notes } = await parse('tomorrow')
    assert.deepEqual(task, { title: '', expiry_date: '2026-12-02' })
    assert.deepEqual(
      notes.map(({ code }) => code),
      ['no_title'],
    )
  })

  await t.test('tells the dates: the expiry, and two more of a recurrence', async () => {
    for (const [text, dates] of [
      ['Think', []],
      ['Call tomorrow', ['2026-12-02']],
      ['Call in 90 min', ['2026-12-01T10:30:00.000Z']],
      ['Call tomorrow 9am America/New_York', ['2026-12-02T14:00:00.000Z']],
      ['Pay every 31st', ['2026-12-31', '2027-01-31', '2027-02-28']],
      ['Gym every monday for 2 times', ['2026-12-07', '2026-12-14']],
      // 9:00 in Berlin, before and after the clocks go forward on 28 March.
      [
        'Jog every day 9am starting 27 march',
        ['2027-03-27T08:00:00.000Z', '2027-03-28T07:00:00.000Z', '2027-03-29T07:00:00.000Z'],
      ],
    ] as const)
      assert.deepEqual((await parse(text)).dates, dates, text)
  })
})

test('a snooze in words', async (t) => {
  // The night in which the clocks of Berlin go forward: 2:00 is 3:00.
  const { client, url } = await startTestApp(t, { ...start, startAt: '2027-03-27T20:00:00.250Z' })
  const { id } = await client.createTask({ title: 'x', expiry_dt: '2027-04-01', time_zone: 'Asia/Tokyo' })
  const snooze = (body: object, languages = 'en') =>
    wireTo(url)('POST', `/v1/tasks/${id}/snooze`, { body, headers: { 'accept-language': languages } })

  await t.test('is read in the zone of the user, across a change of the clocks', async () => {
    for (const [words, at] of [
      ['tomorrow 9am', '2027-03-28T07:00:00.000Z'],
      ['tomorrow at 2:30', '2027-03-28T12:30:00.000Z'],
      ['tomorrow 02:30', '2027-03-28T01:30:00.000Z'],
      ['in 12 hours', '2027-03-28T08:00:00.000Z'],
      ['12h', '2027-03-28T08:00:00.000Z'],
      ['in 20 minutes', '2027-03-27T20:20:00.000Z'],
      // A day is its day_time.
      ['tomorrow', '2027-03-28T07:00:00.000Z'],
      ['monday', '2027-03-29T07:00:00.000Z'],
      ['tomorrow 9am America/New_York', '2027-03-28T13:00:00.000Z'],
    ] as const) {
      assert.equal((await snooze({ until: words })).body.snoozed_until_dt, at, words)
      // From now on, so with the quarter second that it is now.
      assert.equal((await snooze({ for: words })).body.snoozed_until_dt, at.replace('.000', '.250'), words)
    }
  })

  await t.test('is read in the language of Accept-Language', async () => {
    for (const [languages, words, at] of [
      ['de', 'morgen um 9', '2027-03-28T07:00:00.000Z'],
      ['de', '2 Stunden', '2027-03-27T22:00:00.000Z'],
      ['fr', 'demain à 9h', '2027-03-28T07:00:00.000Z'],
      ['es', '2 horas', '2027-03-27T22:00:00.000Z'],
      ['zh', '2小时', '2027-03-27T22:00:00.000Z'],
    ] as const)
      assert.equal((await snooze({ until: words }, languages)).body.snoozed_until_dt, at, words)
  })

  await t.test('leaves the ISO forms as they are: a time in the zone of the task', async () => {
    assert.equal((await snooze({ until: '2027-03-28T09:00' })).body.snoozed_until_dt, '2027-03-28T00:00:00.000Z')
    assert.equal((await snooze({ for: 'PT2H' })).body.snoozed_until_dt, '2027-03-27T22:00:00.250Z')
  })

  await t.test('is refused where it is no time, has more than one in it, or lies in the past', async () => {
    const before = await client.getTask(id)
    const refused = ['soon', 'call tomorrow', 'tomorrow #home', 'tomorrow ~1d', 'every day', '2027-13-01', '2027-03-27']
    for (const words of [...refused, '', ' ', 'today', 'monday 30.3.2027', '0m', '{span}', 'x'.repeat(101)])
      for (const member of ['until', 'for']) {
        assert.deepEqual(pointersOf(await snooze({ [member]: words })), [`/${member}`], words)
      }
    assert.deepEqual(await client.getTask(id), before)
  })
})
