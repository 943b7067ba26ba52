import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type Answer, assertProblem, rawRequest, type Sending, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/**
 * Bad input of every kind: a 4xx problem that names what is wrong, never a 5xx, and nothing changed. Each row is a request
 * and what it is refused with.
 */
type Row = readonly [
  words: string,
  method: string,
  path: string,
  sending: Sending | undefined,
  status: number,
  about?: string | undefined,
]

/** Three tasks and a notification to leave alone. */
async function start(t: TestContext) {
  const app = await startTestApp(t)
  const expiry_dt = '2026-12-24T18:00:00Z'
  await app.client.createTask({ title: 'one', expiry_dt, key: 'one', tags: ['a'] })
  await app.client.createTask({ title: 'two', expiry_dt: '2026-12-01T08:00:00Z' })
  await app.client.createTask({ title: 'three', completed_dt: '2026-11-01' })
  await app.app.idle()
  const send = wireTo(app.url)
  const everything = async () => {
    const [tasks, notifications] = await Promise.all([send('GET', '/v1/tasks'), send('GET', '/v1/notifications')])
    return { tasks: tasks.body.tasks, notifications: notifications.body.notifications }
  }
  let before = await everything()
  assert.deepEqual([before.tasks.length, before.notifications.length], [3, 1])

  /** That a request is refused so, and leaves no trace. */
  async function refuses(request: Promise<Answer>, status: number, about?: string) {
    assertProblem(await request, status, about)
    assert.deepEqual(await everything(), before, 'nothing changed')
  }
  /** Every row is tried, so that one broken promise does not hide the next. */
  async function refusesEach(rows: readonly Row[]) {
    const broken: string[] = []
    for (const [words, method, path, sending, status, about] of rows)
      await refuses(send(method, path, sending), status, about).catch(async (error: Error) => {
        broken.push(`${words}: ${error.message}`)
        before = await everything()
      })
    assert.deepEqual(broken, [])
  }
  return { ...app, url: app.url, send, refuses, refusesEach }
}

/** Rows for one member: refused in a POST, a PATCH and a PUT of many alike, with a pointer to it. */
function inEveryWrite(words: string, members: object, pointer: string): Row[] {
  return [
    [`POST ${words}`, 'POST', '/v1/tasks', { body: { title: 'x', ...members } }, 422, pointer],
    [`PATCH ${words}`, 'PATCH', '/v1/tasks/1', { body: members }, 422, pointer],
    [`PUT ${words}`, 'PUT', '/v1/tasks', { body: { tasks: [{ id: 1, ...members }] } }, 422, `/tasks/0${pointer}`],
  ]
}

test('a member of the wrong type is refused, and pointed at', async (t) => {
  const { refusesEach } = await start(t)
  const wrong: Record<string, unknown[]> = {
    title: [null, 1, true, ['x'], { a: 1 }],
    description: [1, false, ['x'], {}],
    expiry_dt: [1_790_000_000, true, ['2027-01-01'], {}],
    completed_dt: [true, 0],
    time_zone: [1, ['Europe/Paris']],
    reminders: ['PT15M', 15, {}],
    tags: [null, 'home', {}],
    priority: [null, 1, ['high'], 'hihg', 'High', ''],
    key: [1, {}],
  }
  for (const [member, values] of Object.entries(wrong))
    for (const value of values)
      await refusesEach(inEveryWrite(`${member} as ${JSON.stringify(value)}`, { [member]: value }, `/${member}`))
  await refusesEach([
    ...inEveryWrite('a reminder as a number', { reminders: ['PT15M', 15] }, '/reminders/1'),
    ...inEveryWrite('a tag as null', { tags: ['a', null] }, '/tags/1'),
    ['uid as null', 'POST', '/v1/tasks', { body: { title: 'x', uid: null } }, 422, '/uid'],
    ['for as a number', 'POST', '/v1/tasks/1/snooze', { body: { for: 60 } }, 422, '/for'],
    ['until as null', 'POST', '/v1/tasks/1/snooze', { body: { until: null } }, 422, '/until'],
    ['tasks as an object', 'PUT', '/v1/tasks', { body: { tasks: { id: 1 } } }, 422, '/tasks'],
    ['a task as a number', 'PUT', '/v1/tasks', { body: { tasks: [1] } }, 422, '/tasks/0'],
    ['an id as text', 'PUT', '/v1/tasks', { body: { tasks: [{ id: '1' }] } }, 422, '/tasks/0/id'],
    ['an id as a fraction', 'PUT', '/v1/tasks', { body: { tasks: [{ id: 1.5 }] } }, 422, '/tasks/0/id'],
    ['an id of zero', 'PUT', '/v1/tasks', { body: { tasks: [{ id: 0 }] } }, 422, '/tasks/0/id'],
    ['a negative id', 'PUT', '/v1/tasks', { body: { tasks: [{ id: -1 }] } }, 422, '/tasks/0/id'],
    ['an id beyond all integers', 'PUT', '/v1/tasks', { body: '{"tasks":[{"id":1e400}]}' }, 422, '/tasks/0/id'],
    ['an id above 2^53', 'PUT', '/v1/tasks', { body: '{"tasks":[{"id":9007199254740993}]}' }, 422, '/tasks/0/id'],
    ['no id', 'PUT', '/v1/tasks', { body: { tasks: [{ title: 'x' }] } }, 422, '/tasks/0/id'],
    ['no tasks', 'PUT', '/v1/tasks', { body: {} }, 422, '/tasks'],
    ['no title', 'POST', '/v1/tasks', { body: { description: 'x' } }, 422, '/title'],
    [
      'an expiry beyond all numbers',
      'POST',
      '/v1/tasks',
      { body: '{"title":"x","expiry_dt":1e999}' },
      422,
      '/expiry_dt',
    ],
  ])
})

test('a body that is no object is refused', async (t) => {
  const { refusesEach } = await start(t)
  for (const body of ['null', 'true', '1', '"x"', '[]', '[{"title":"x"}]'])
    await refusesEach([
      [`POST ${body}`, 'POST', '/v1/tasks', { body }, 422, 'the body'],
      [`PUT ${body}`, 'PUT', '/v1/tasks', { body }, 422, 'the body'],
      [`PATCH ${body}`, 'PATCH', '/v1/tasks/1', { body }, 422, 'the body'],
      [`snooze ${body}`, 'POST', '/v1/tasks/1/snooze', { body }, 422, 'the body'],
    ])
  await refusesEach([
    ['POST without a body', 'POST', '/v1/tasks', {}, 422, 'the body'],
    ['PATCH without a body', 'PATCH', '/v1/tasks/1', {}, 422, 'the body'],
  ])
})

test('a member that is not known is refused, and the one that was meant is named', async (t) => {
  const { refusesEach, send } = await start(t)
  await refusesEach([
    ...inEveryWrite('titel', { titel: 'x' }, '/titel'),
    ...inEveryWrite('a/b~c', { 'a/b~c': 'x' }, '/a~1b~0c'),
    ...inEveryWrite('user_id', { user_id: 2 }, '/user_id'),
    ...inEveryWrite('toString', { toString: 'x' }, '/toString'),
    ['beside tasks', 'PUT', '/v1/tasks', { body: { tasks: [], more: 1 } }, 422, '/more'],
    ['of a snooze', 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT1H', why: 'x' } }, 422, '/why'],
  ])

  const guesses = { titel: 'title', expire_dt: 'expiry_dt', timezone: 'time_zone', Priority: 'priority', tag: 'tags' }
  for (const [word, meant] of Object.entries(guesses)) {
    await t.test(`${word} is answered with «did you mean ${meant}?»`, async () => {
      const { body } = await send('PATCH', '/v1/tasks/1', { body: { [word]: null } })
      const detail = `is not known; did you mean ${meant}?`
      assert.deepEqual(body.errors, [{ pointer: `/${word}`, detail }])
      assert.match(body.detail, new RegExp(`${word} is not known; did you mean ${meant}\\?$`))
    })
  }

  await t.test('every fault is told at once, up to twenty', async () => {
    const { body } = await send('POST', '/v1/tasks', { body: { titel: 'x', tags: 1, priority: 'x', expiry_dt: 2 } })
    const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer)
    assert.deepEqual(pointers.sort(), ['/expiry_dt', '/priority', '/tags', '/titel', '/title'])
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`member ${i}`, i]))
    assert.equal((await send('PATCH', '/v1/tasks/1', { body: many })).body.errors.length, 20)
  })

  await t.test(
    'of a body above 64 KiB the first fault is told: to list a mebibyte of them would hold up the bell',
    async () => {
      const tags = Array.from({ length: 500_000 }, () => 1)
      const { body } = await send('PATCH', '/v1/tasks/1', { body: { tags, title: 1 } })
      assert.equal(body.status, 422)
      assert.equal(body.errors.length, 1)
    },
  )
})

test('a body where none is read is refused, not passed over', async (t) => {
  const { refusesEach } = await start(t)
  const ids = { body: { ids: [1] } }
  await refusesEach([
    ['DELETE of all with a list of ids is not a DELETE of all', 'DELETE', '/v1/tasks', ids, 422, 'the body'],
    ['DELETE of one', 'DELETE', '/v1/tasks/1', ids, 422, 'the body'],
    ['complete at a time', 'POST', '/v1/tasks/1/complete', { body: { completed_dt: '2026-11-01' } }, 422, 'the body'],
    ['reopen', 'POST', '/v1/tasks/3/reopen', { body: [1] }, 422, 'the body'],
    ['complete with half a body', 'POST', '/v1/tasks/1/complete', { body: '{' }, 400],
  ])
})

test('a body that is not JSON in UTF-8, or is poison or bottomless, is refused', async (t) => {
  const { refusesEach } = await start(t)
  const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)))
  const bodies: [words: string, body: string | Uint8Array, about?: string][] = [
    ['cut short', '{"title":"x"'],
    ['with a comma too many', '{"title":"x",}'],
    ['in single quotes', "{'title':'x'}"],
    ['followed by another', '{"title":"x"}{"title":"y"}'],
    ['with a line break in a text', '{"title":"a\nb"}'],
    ['with NaN', '{"title":NaN}'],
    ['empty', '', 'empty'],
    ['of blanks', '   '],
    ['a form', 'title=x'],
    ['that opens 200,000 arrays', '['.repeat(200_000)],
    ['with a byte that is not UTF-8', bytes('{"title":"', [0xff], '"}'), 'UTF-8'],
    ['with an overlong encoding', bytes('{"title":"', [0xc0, 0xaf], '"}'), 'UTF-8'],
    ['with a surrogate in UTF-8', bytes('{"title":"', [0xed, 0xa0, 0x80], '"}'), 'UTF-8'],
    ['cut within a character', bytes('{"title":"', [0xf0, 0x9f], '"}'), 'UTF-8'],
    ['in UTF-16', new Uint8Array(Buffer.from('{"title":"x"}', 'utf16le'))],
    ['in Latin-1', new Uint8Array(Buffer.from('{"title":"é"}', 'latin1')), 'UTF-8'],
    ['with __proto__', '{"title":"x","__proto__":{"tags":["a"]}}', '__proto__'],
    ['with an escaped __proto__', '{"title":"x","__pr\\u006fto__":{"tags":["a"]}}', '__proto__'],
    ['with __proto__ deeper down', '{"title":"x","id":{"a":[{"__proto__":null}]}}', '__proto__'],
    ['with constructor.prototype', '{"title":"x","constructor":{"prototype":{"x":1}}}', 'constructor.prototype'],
  ]
  for (const [words, body, about] of bodies)
    await refusesEach([
      [`POST ${words}`, 'POST', '/v1/tasks', { body }, 400, about],
      [`PATCH ${words}`, 'PATCH', '/v1/tasks/1', { body }, 400, about],
      [`PUT ${words}`, 'PUT', '/v1/tasks', { body }, 400, about],
    ])
  await t.test('leaves no trace on the prototype of all', () => {
    assert.equal(({} as { tags?: unknown }).tags, undefined)
  })

  const deep = (open: string, close: string) => open.repeat(200_000) + close.repeat(200_000)
  await refusesEach([
    ['200,000 arrays deep', 'POST', '/v1/tasks', { body: `{"title":${deep('[', ']')}}` }, 400, 'more than 64 deep'],
    [
      '100,000 objects deep',
      'POST',
      '/v1/tasks',
      { body: `{"title":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}}` },
      400,
      'more than 64 deep',
    ],
    ['nothing but 200,000 arrays', 'PUT', '/v1/tasks', { body: deep('[', ']') }, 400, 'more than 64 deep'],
    ['64 arrays', 'PUT', '/v1/tasks', { body: '['.repeat(64) + ']'.repeat(64) }, 422, 'the body'],
    ['100,000 arrays side by side', 'POST', '/v1/tasks', { body: `[${Array(1e5).fill('[]')}]` }, 413, '30,000'],
    [
      'a constructor that is no poison',
      'POST',
      '/v1/tasks',
      { body: { title: 'x', constructor: 1 } },
      422,
      '/constructor',
    ],
  ])
})

test('a body of another type, or compressed, is refused', async (t) => {
  const { refusesEach } = await start(t)
  const json = '{"title":"x"}'
  const typed = (type: string): Sending => ({ body: json, headers: { 'content-type': type } })
  const encoded = (encoding: string, body: string | Uint8Array): Sending => ({
    body,
    headers: { 'content-type': 'application/json', 'content-encoding': encoding },
  })
  const types = [
    'text/plain',
    'text/plain; charset=utf-8',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    'application/json-patch+json',
    'application/octet-stream',
    'application/json, text/plain',
    'json',
  ]
  await refusesEach([
    ...types.map((type): Row => [type, 'POST', '/v1/tasks', typed(type), 415]),
    ['PUT text/plain', 'PUT', '/v1/tasks/1', typed('text/plain'), 415],
    ['DELETE of all with text/plain', 'DELETE', '/v1/tasks', typed('text/plain'), 415],
    ['gzip', 'POST', '/v1/tasks', encoded('gzip', new Uint8Array(gzipSync(json))), 415, 'gzip'],
    ['what says gzip and is none', 'POST', '/v1/tasks', encoded('gzip', json), 415, 'gzip'],
    ['brotli', 'PATCH', '/v1/tasks/1', encoded('br', json), 415, 'br'],
  ])
})

test('text that cannot be kept as it is, or says nothing, is refused', async (t) => {
  const { refusesEach } = await start(t)
  const loneHigh = '\ud83d'
  const loneLow = 'x\udd14y'
  for (const [words, text] of [
    ['half a surrogate pair', loneHigh],
    ['the other half', loneLow],
    ['NUL', 'a\0b'],
  ] as const)
    await refusesEach([
      ...inEveryWrite(`${words} in title`, { title: text }, '/title'),
      ...inEveryWrite(`${words} in description`, { description: text }, '/description'),
      ...inEveryWrite(`${words} in key`, { key: text }, '/key'),
      ...inEveryWrite(`${words} in a tag`, { tags: ['a', text] }, '/tags/1'),
      ...inEveryWrite(`${words} in time_zone`, { time_zone: text }, '/time_zone'),
      ...inEveryWrite(`${words} in expiry_dt`, { expiry_dt: text }, '/expiry_dt'),
      ...inEveryWrite(`${words} in a reminder`, { reminders: [text] }, '/reminders/0'),
      [`${words} in uid`, 'POST', '/v1/tasks', { body: { title: 'x', uid: text } }, 422, '/uid'],
    ])
  await refusesEach([
    ...inEveryWrite('an empty title', { title: '' }, '/title'),
    ...inEveryWrite('an empty key', { key: '' }, '/key'),
    ...inEveryWrite('an empty tag', { tags: [''] }, '/tags/0'),
    ...inEveryWrite('a tag twice', { tags: ['a', 'a'] }, '/tags'),
    ['an empty uid', 'POST', '/v1/tasks', { body: { title: 'x', uid: '' } }, 422, '/uid'],
  ])
})

test('a time that is none is refused', async (t) => {
  const { refusesEach } = await start(t)
  const absurd = [
    '',
    ' ',
    'tomorrow',
    '1790000000',
    '2027-02-30',
    '2027-02-29',
    '2027-13-01',
    '2027-00-10',
    '2027-1-1',
    '2027-03',
    '2027-W10-1',
    '20270301T100000Z',
    '0000-01-01',
    '0000-01-01T00:00:00Z',
    '0001-01-01',
    '-000001-01-01T00:00:00Z',
    '+002027-03-01T10:00:00Z',
    '99999-01-01',
    '9999-12-31T23:59:59Z',
    '2027-03-01T10',
    '2027-03-01T24:00:00Z',
    '2027-03-01T10:60:00Z',
    '2027-03-01T10:00:00+25:00',
    '2027-03-01T10:00:00+1',
    '2027-03-01T10:00:00 +01:00',
    '2027-03-01T10:00:00.Z',
    '2027-03-01T10:00:00.1234567891Z',
    '2027-03-01T10:00Z[Mars/Phobos]',
    '2027-03-01T10:00[+01:00]',
    '2027-03-01T10:00[u-ca=hebrew]',
    '2027-03-01T10:00[Europe/Paris][u-ca=hebrew]',
    '2027-03-01T10:00Z ',
    `2027-03-01T10:00Z${'0'.repeat(90_000)}`,
  ]
  for (const text of absurd) {
    const words = `«${text.slice(0, 50)}»`
    await refusesEach([
      ...inEveryWrite(`expiry_dt ${words}`, { expiry_dt: text }, '/expiry_dt'),
      ['completed_dt', 'PATCH', '/v1/tasks/1', { body: { completed_dt: text } }, 422, '/completed_dt'],
      ['a reminder', 'PATCH', '/v1/tasks/1', { body: { reminders: ['PT5M', text] } }, 422, '/reminders/1'],
      ['until', 'POST', '/v1/tasks/1/snooze', { body: { until: text } }, 422, '/until'],
    ])
  }
})

test('a duration that is none, or of no use, is refused', async (t) => {
  const { refusesEach } = await start(t)
  const absurd = [
    'P',
    'PT',
    'P1DT',
    'PT-5M',
    '-PT5M',
    '+PT5M',
    'PT5',
    '5M',
    'pt15m',
    'PT15M1M', // Temporal would take the 1
    'PT1M1H',
    'P1.5D',
    'PT1.5H30M',
    'P1000000Y',
    'P3661D',
    `PT${'9'.repeat(60)}H`,
    'PT15M ',
    '15 minutes',
  ]
  for (const text of absurd)
    await refusesEach([
      ...inEveryWrite(`reminder «${text}»`, { reminders: ['PT5M', text] }, '/reminders/1'),
      [`snooze for «${text}»`, 'POST', '/v1/tasks/1/snooze', { body: { for: text } }, 422, '/for'],
    ])
  await refusesEach([
    ...inEveryWrite('the same reminder twice', { reminders: ['PT5M', 'PT5M'] }, '/reminders'),
    ...inEveryWrite(
      'a lead that begins before the year 1',
      { expiry_dt: '0001-06-01', reminders: ['P1Y'] },
      '/reminders',
    ),
    ['snooze for no time', 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT0S' } }, 422, '/for'],
    ['snooze for less than a millisecond', 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT0.0009S' } }, 422, '/for'],
    ['snooze for a month, however long', 'POST', '/v1/tasks/1/snooze', { body: { for: 'P1M' } }, 422, '/for'],
    ['snooze until what is past', 'POST', '/v1/tasks/1/snooze', { body: { until: '2020-01-01' } }, 422, '/until'],
    [
      'snooze for and until',
      'POST',
      '/v1/tasks/1/snooze',
      { body: { for: 'PT1H', until: '2027-01-01' } },
      422,
      'until',
    ],
    ['snooze for nothing', 'POST', '/v1/tasks/1/snooze', { body: {} }, 422, 'until'],
  ])
})

test('a zone that is none is refused', async (t) => {
  const { refusesEach } = await start(t)
  for (const zone of [
    '',
    ' ',
    'Mars/Phobos',
    '+01:00',
    '-05',
    'Z',
    'Europe',
    '../etc/passwd',
    '__proto__',
    'x'.repeat(101),
  ])
    await refusesEach([
      ...inEveryWrite(`«${zone.slice(0, 20)}»`, { time_zone: zone }, '/time_zone'),
      [
        'with a local time',
        'PATCH',
        '/v1/tasks/1',
        { body: { time_zone: zone, expiry_dt: '2027-01-01' } },
        422,
        '/time_zone',
      ],
    ])
})

test('a query parameter that is not known is refused on every method: no typo widens a DELETE', async (t) => {
  const { refusesEach } = await start(t)
  const routes: [method: string, path: string, sending?: Sending][] = [
    ['GET', '/v1/tasks'],
    ['POST', '/v1/tasks', { body: { title: 'x' } }],
    ['PUT', '/v1/tasks', { body: { tasks: [{ id: 1, title: 'x' }] } }],
    ['DELETE', '/v1/tasks'],
    ['GET', '/v1/tasks/1'],
    ['PUT', '/v1/tasks/1', { body: { title: 'x' } }],
    ['PATCH', '/v1/tasks/1', { body: { title: 'x' } }],
    ['DELETE', '/v1/tasks/1'],
    ['POST', '/v1/tasks/1/complete'],
    ['POST', '/v1/tasks/3/reopen'],
    ['POST', '/v1/tasks/1/snooze', { body: { for: 'PT1H' } }],
    ['GET', '/v1/tasks/2/notifications'],
    ['GET', '/v1/notifications'],
    ['GET', '/v1/notifications/1'],
  ]
  for (const [method, path, sending] of routes)
    await refusesEach([
      [`${method} ${path}?statsu=done`, method, `${path}?statsu=done`, sending, 400, 'statsu'],
      [`${method} ${path}?__proto__=1`, method, `${path}?__proto__=1`, sending, 400, '__proto__'],
    ])
  await refusesEach([
    ['DELETE of all with an id', 'DELETE', '/v1/tasks?id=1', undefined, 400, 'id'],
    ['a name that is nearly one', 'GET', '/v1/tasks?limt=1', undefined, 400, 'did you mean limit?'],
    ['a name in brackets', 'GET', '/v1/tasks?limit[]=1', undefined, 400, 'limit[]'],
  ])
})

test('a query parameter of no sense is refused', async (t) => {
  const { refusesEach } = await start(t)
  const odd = [
    '',
    'x',
    '-1',
    '1.5',
    '1e2',
    '0x10',
    '010',
    '%201',
    '+1',
    'true',
    '%00',
    '%ff',
    '%zz',
    '99999999999999999999',
  ]
  const cursor = (text: string) => Buffer.from(text).toString('base64url')
  const cursors = [
    '',
    'x',
    'null',
    '0',
    cursor('id:'),
    cursor('id:-1'),
    cursor('id:1e9'),
    cursor('id:9999999999999999'),
  ]
  await refusesEach([
    ...odd.map((value): Row => [`limit=${value}`, 'GET', `/v1/tasks?limit=${value}`, undefined, 400, 'limit']),
    ...odd.map((value): Row => [`offset=${value}`, 'GET', `/v1/tasks?offset=${value}`, undefined, 400, 'offset']),
    ['limit above 10,000', 'GET', '/v1/tasks?limit=10001', undefined, 400, 'limit'],
    ['limit twice', 'GET', '/v1/tasks?limit=1&limit=2', undefined, 400, 'limit'],
    ...[...cursors, cursor('id:1; drop table tasks'), 'A'.repeat(60)].map(
      (value): Row => [`cursor=${value}`, 'GET', `/v1/tasks?cursor=${value}`, undefined, 400, 'cursor'],
    ),
    ['cursor twice', 'GET', '/v1/tasks?cursor=aWQ6MQ&cursor=aWQ6MQ', undefined, 400, 'cursor'],
    ['cursor and offset', 'GET', '/v1/tasks?cursor=aWQ6MQ&offset=1', undefined, 400, 'cursor'],
  ])
})

test('an id that is none, or is written as none is written here, names nothing', async (t) => {
  const { refusesEach } = await start(t)
  const odd = [
    '0',
    '-1',
    '4711',
    '1.0',
    '1.5',
    '1e0',
    '1e3',
    '0x1',
    '01',
    '+1',
    '%201',
    '1%20',
    '1n',
    'true',
    'null',
    'NaN',
  ]
  const invalidCursor = [
    '%00',
    '1%00',
    '%EF%BC%91',
    '1%2F2',
    '..%2F1',
    '9007199254740993',
    '99999999999999999999',
    '{id}',
    "1'--",
  ]
  for (const id of [...odd, ...invalidCursor])
    await refusesEach([
      [`GET ${id}`, 'GET', `/v1/tasks/${id}`, undefined, 404],
      [`PUT ${id}`, 'PUT', `/v1/tasks/${id}`, { body: { title: 'x' } }, 404],
      [`DELETE ${id}`, 'DELETE', `/v1/tasks/${id}`, undefined, 404],
      [`complete ${id}`, 'POST', `/v1/tasks/${id}/complete`, undefined, 404],
      [`notifications of ${id}`, 'GET', `/v1/tasks/${id}/notifications`, undefined, 404],
      [`notification ${id}`, 'GET', `/v1/notifications/${id}`, undefined, 404],
    ])
})

test('a path that leads nowhere, or a request that is none, is answered by a problem too', async (t) => {
  const { refusesEach, url, refuses } = await start(t)
  const nowhere = ['/v1', '/v1/', '/v2/tasks', '/V1/tasks', '/v1/Tasks', '//v1/tasks', '/v1/task', '/v1/tasks/']
  for (const path of [...nowhere, '/v1/tasks/1/', '/v1/tasks/1/delete', '/v1/tasks//', '/v1/health/x', '/favicon.ico'])
    await refusesEach([
      [`GET ${path}`, 'GET', path, undefined, 404],
      [`DELETE ${path}`, 'DELETE', path, undefined, 404],
    ])
  await refusesEach([
    ['a path that cannot be decoded', 'GET', '/v1/tasks/%zz', undefined, 400],
    ['a DELETE of it', 'DELETE', '/v1/tasks/%ff', undefined, 400],
    ['an id of 301 characters', 'GET', `/v1/tasks/${'1'.repeat(301)}`, undefined, 404],
    ['a path of 10,000 characters', 'GET', `/${'a'.repeat(10_000)}`, undefined, 404],
    ['a path of 20,000 characters', 'GET', `/${'a'.repeat(20_000)}`, undefined, 431],
  ])
  const host = `Host: ${new URL(url).host}`
  const raw: [words: string, status: number, head: string[]][] = [
    ['a header of 20,000 characters', 431, ['GET /v1/tasks HTTP/1.1', host, `X: ${'a'.repeat(20_000)}`]],
    ['what is no HTTP', 400, ['EHLO localhost']],
    ['a method that nobody knows', 400, ['FROB /v1/tasks HTTP/1.1', host]],
    ['a control character in the path', 400, ['GET /v1/t\u0001 HTTP/1.1', host]],
    ['a body of two lengths', 400, ['POST /v1/tasks HTTP/1.1', host, 'Content-Length: 5', 'Content-Length: 6']],
    [
      'a body counted and in chunks',
      400,
      ['DELETE /v1/tasks HTTP/1.1', host, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    ],
    ['a method of others', 404, ['PROPFIND /v1/tasks HTTP/1.1', host]],
  ]
  for (const [words, status, head] of raw)
    await t.test(`${words}: ${status}`, () => refuses(rawRequest(url, head), status))
})

test('a method that a resource does not have is refused, and those it has are told', async (t) => {
  const { refuses, send, url } = await start(t)
  const resources: [path: string, allow: string][] = [
    ['/v1/tasks', 'DELETE, GET, HEAD, POST, PUT'],
    ['/v1/tasks/1', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['/v1/tasks/1/complete', 'POST'],
    ['/v1/tasks/1/reopen', 'POST'],
    ['/v1/tasks/1/snooze', 'POST'],
    ['/v1/tasks/1/notifications', 'GET, HEAD'],
    ['/v1/notifications', 'GET, HEAD'],
    ['/v1/notifications/1', 'GET, HEAD'],
    ['/v1/health', 'GET, HEAD'],
    ['/livez', 'GET, HEAD'],
    ['/readyz', 'GET, HEAD'],
  ]
  for (const [path, allow] of resources) {
    await t.test(`${path} has ${allow}, says so, and does nothing else`, async () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter((one) => !allow.includes(one))) {
        const request = send(method, path)
        await refuses(request, 405, 'This resource supports')
        assert.equal((await request).headers.get('allow'), allow, method)
      }
    })
  }
  await t.test('TRACE sends nothing back', async () => {
    const head = ['TRACE /v1/tasks HTTP/1.1', `Host: ${new URL(url).host}`, 'Cookie: secret']
    const answer = await rawRequest(url, head)
    assertProblem(answer, 405)
    assert.ok(!answer.text.includes('secret'))
  })
  await t.test('HEAD answers as GET, without the body', async () => {
    const { status, headers, text } = await send('HEAD', '/v1/tasks/1')
    assert.deepEqual([status, headers.get('etag'), text], [200, '"1"', ''])
  })
})

/** Every write of one task, with these headers. */
const writesWith = (value: string, headers: Record<string, string>, status: number, about?: string): Row[] => [
  [`PATCH ${value}`, 'PATCH', '/v1/tasks/1', { body: { title: 'x' }, headers }, status, about],
  [`PUT ${value}`, 'PUT', '/v1/tasks/1', { body: { title: 'x' }, headers }, status, about],
  [`PUT by key ${value}`, 'PUT', '/v1/tasks/by-key/one', { body: { title: 'x' }, headers }, status, about],
  [`DELETE ${value}`, 'DELETE', '/v1/tasks/1', { headers }, status, about],
  [`complete ${value}`, 'POST', '/v1/tasks/1/complete', { headers }, status, about],
  [`snooze ${value}`, 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT1H' }, headers }, status, about],
]

test('a condition of no sense is refused, not passed over', async (t) => {
  const { refusesEach } = await start(t)
  for (const value of ['1', '"1', '""1""', '"1" "2"', '*, "1"', 'w/"1"']) {
    await refusesEach(writesWith(value, { 'if-match': value }, 400, 'If-Match'))
    await refusesEach(writesWith(value, { 'if-none-match': value }, 400, 'If-None-Match'))
  }
})

test('an ETag that was never given holds for nothing', async (t) => {
  const { refusesEach } = await start(t)
  for (const value of ['"x"', 'W/"1"', '"-1"', '""', '"1.0"', '"0x1"', `"${'9'.repeat(20)}"`, '"2", "c1"'])
    await refusesEach(writesWith(value, { 'if-match': value }, 412, 'is at version 1'))
})

test('every answer carries its request id', async (t) => {
  const { send } = await start(t)
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const trace = (id: string) => ({ headers: { traceparent: `00-${id}-00f067aa0ba902b7-01` } })

  await t.test('a new one each', async () => {
    const ids = [await send('GET', '/v1/tasks'), await send('GET', '/v1/tasks'), await send('GET', '/nowhere')]
    assert.equal(new Set(ids.map(({ headers }) => headers.get('x-request-id'))).size, 3)
  })

  await t.test('the trace id of a traceparent, in the header and in the problem', async () => {
    assert.equal((await send('GET', '/v1/tasks', trace(traceId))).headers.get('x-request-id'), traceId)
    const problem = await send('GET', '/v1/tasks/4711', trace(traceId))
    assertProblem(problem, 404)
    assert.equal(problem.body.request_id, traceId)
  })

  await t.test('but no nonsense, and nothing that a caller chooses freely', async () => {
    for (const id of ['0'.repeat(32), traceId.toUpperCase(), 'x', `${traceId}00`])
      assert.notEqual((await send('GET', '/v1/tasks', trace(id))).headers.get('x-request-id'), id)
    const { headers } = await send('GET', '/v1/tasks', { headers: { 'x-request-id': 'mine' } })
    assert.notEqual(headers.get('x-request-id'), 'mine')
  })
})

test('a problem has exactly the members of RFC 9457, the request id and the faults', async (t) => {
  const { send } = await start(t)
  const { headers, body } = await send('PATCH', '/v1/tasks/1?', { body: { tags: ['a', 1], titel: 'x' } })
  assert.deepEqual(body, {
    type: '/problems/invalid',
    title: 'Unprocessable Content',
    status: 422,
    detail: 'titel is not known; did you mean title?; tags.1 must be string',
    instance: '/v1/tasks/1',
    request_id: headers.get('x-request-id'),
    errors: [
      { pointer: '/titel', detail: 'is not known; did you mean title?' },
      { pointer: '/tags/1', detail: 'must be string' },
    ],
  })
})
