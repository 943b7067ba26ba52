import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Sending } from '#kit/http-requests.ts'
import { inEveryWrite, type Row, start } from './refusals.ts'

test('a member of the wrong type is refused, with a pointer to it', async (t) => {
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

test('an unknown member is refused, with a similar known name', async (t) => {
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

  await t.test('every fault is listed at once, up to twenty', async () => {
    const { body } = await send('POST', '/v1/tasks', { body: { titel: 'x', tags: 1, priority: 'x', expiry_dt: 2 } })
    const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer)
    assert.deepEqual(pointers.sort(), ['/expiry_dt', '/priority', '/tags', '/titel', '/title'])
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`member ${i}`, i]))
    assert.equal((await send('PATCH', '/v1/tasks/1', { body: many })).body.errors.length, 20)
  })

  await t.test(
    'of a body above 64 KiB only the first fault is listed: listing those of a mebibyte would delay notifications',
    async () => {
      const tags = Array.from({ length: 500_000 }, () => 1)
      const { body } = await send('PATCH', '/v1/tasks/1', { body: { tags, title: 1 } })
      assert.equal(body.status, 422)
      assert.equal(body.errors.length, 1)
    },
  )
})

test('a body is refused where none is read, not ignored', async (t) => {
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

test('a body that is not JSON in UTF-8, pollutes a prototype or is nested too deep is refused', async (t) => {
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
  await t.test('leaves no trace on Object.prototype', () => {
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
