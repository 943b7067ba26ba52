import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { startTestApp } from '#support/test-app.ts'

/**
 * Requests that nobody thought of, against the running app: half of them nearly right. Whatever comes, the answer is one of
 * those documented, never a 5xx; what was accepted is there, and can ring. PROPERTY_RUNS sets how many; a failure prints its seed and the smallest
 * request that shows it.
 */
const runs = Number(process.env.PROPERTY_RUNS ?? 600)

/** Every UTF-16 there is, halves of surrogate pairs and control characters included. */
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.array(fc.nat(0xffff), { maxLength: 10 }).map((units) => String.fromCharCode(...units)),
)
const anything = fc.oneof({ weight: 2, arbitrary: fc.jsonValue() }, anyText, fc.constantFrom(null, '', 0, -1, 1e300))
const mostly = (right: fc.Arbitrary<unknown>) => fc.oneof({ weight: 40, arbitrary: right }, anything)

const digits = (length: number, most: number) => fc.nat(most).map((n) => String(n).padStart(length, '0'))
const zone = fc.constantFrom('Europe/Paris', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia', 'UTC')
const time = fc
  .tuple(
    fc.tuple(digits(4, 9_999), digits(2, 13), digits(2, 32)).map((parts) => parts.join('-')),
    fc.constantFrom('', 'T', ' ', 't'),
    fc.tuple(digits(2, 24), digits(2, 60), fc.constantFrom('', ':00', ':59.5', ':60', ':00.123456789')),
    fc.constantFrom('', '', 'Z', '+01:00', '-23:59', '+24:00', '+0530'),
    fc.oneof(
      fc.constant(''),
      zone.map((name) => `[${name}]`),
    ),
  )
  .map(([date, t, [hours, minutes, seconds], offset, suffix]) =>
    t === '' ? date + suffix : `${date}${t}${hours}:${minutes}${seconds}${offset}${suffix}`,
  )
const span = fc
  .tuple(
    fc.constantFrom('P', 'PT', '-P', 'p'),
    fc.array(
      fc.tuple(fc.nat(4_000), fc.constantFrom('', '.5', ',25'), fc.constantFrom('Y', 'M', 'W', 'D', 'H', 'S', 'T')),
      { maxLength: 3 },
    ),
  )
  .map(([start, parts]) => start + parts.map((part) => part.join('')).join(''))
const dueSoon = fc.nat(48 * 60).map((minutes) => new Date(Date.parse('2026-12-01') + minutes * 60_000).toISOString())

const members = {
  title: mostly(fc.string({ unit: 'grapheme', minLength: 1 })),
  description: mostly(fc.string({ unit: 'grapheme' })),
  expiry_dt: mostly(fc.oneof(dueSoon, time)),
  completed_dt: mostly(fc.oneof(fc.constant(null), time)),
  time_zone: mostly(zone),
  reminders: mostly(fc.array(fc.oneof(fc.constantFrom('PT15M', 'P1D', 'PT0S'), span, time), { maxLength: 3 })),
  tags: mostly(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 })),
  priority: mostly(fc.constantFrom('none', 'low', 'medium', 'high')),
  key: mostly(fc.constantFrom('a', 'b', null)),
  id: anything,
  uid: fc.oneof(fc.uuid(), anything),
  version: anything,
}
const patch = fc.record(members, { requiredKeys: [] })
const draft = fc.record(members, { requiredKeys: ['title'] })
/** Right but for one member. */
const oneFault = fc
  .tuple(draft, fc.constantFrom(...Object.keys(members)), anything)
  .map(([task, member, value]) => ({ ...task, title: 'x', [member]: value }))
const id = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 20 }) }, fc.maxSafeInteger())
const body = fc.oneof(
  { weight: 4, arbitrary: draft },
  { weight: 4, arbitrary: oneFault },
  { weight: 6, arbitrary: patch },
  fc.record({
    tasks: fc.array(
      fc.tuple(patch, id).map(([item, id]) => ({ ...item, id })),
      { maxLength: 4 },
    ),
  }),
  fc.record({ for: mostly(span), until: mostly(time) }, { requiredKeys: [] }),
  fc.dictionary(anyText, anything),
  anything,
)
const bytes = fc.oneof(
  { weight: 30, arbitrary: body.map((value) => Buffer.from(JSON.stringify(value) ?? '')) },
  fc.uint8Array().map((array) => Buffer.from(array)),
  fc.tuple(body, fc.nat()).map(([value, cut]) => {
    const text = Buffer.from(JSON.stringify(value) ?? '')
    return text.subarray(0, cut % (text.length + 1))
  }),
)

const segment = fc.oneof(
  { weight: 20, arbitrary: id.map(String) },
  anyText.map((text) => encodeURIComponent(text.toWellFormed())),
  fc.string(),
)
const query = fc.oneof(
  { weight: 9, arbitrary: fc.constant('') },
  fc
    .array(
      fc.tuple(
        fc.constantFrom('limit', 'offset', 'cursor', 'sort', 'status', 'tag', 'priority', 'q', 'ids', 'count', 'x'),
        fc.oneof(
          fc.nat(20).map(String),
          fc.constantFrom('expiry_dt', '-title,priority', 'open', 'expired', 'high', 'true', 'one two', '1,2'),
          fc.string({ unit: 'grapheme' }),
        ),
      ),
      { maxLength: 3 },
    )
    .map((pairs) => `?${new URLSearchParams(pairs)}`),
  fc.string().map((text) => `?${text}`),
)
/** Paths, each with the methods that are worth trying on it often. Not DELETE: little would be left to ask for. */
const resource = fc.oneof(
  { weight: 3, arbitrary: fc.constant(['/v1/tasks', ['GET', 'POST', 'POST', 'POST', 'PUT']] as const) },
  { weight: 3, arbitrary: segment.map((one) => [`/v1/tasks/${one}`, ['GET', 'PUT', 'PATCH']] as const) },
  fc
    .tuple(segment, fc.constantFrom('complete', 'reopen', 'snooze'))
    .map(([one, verb]) => [`/v1/tasks/${one}/${verb}`, ['POST']] as const),
  fc.constantFrom('/v1/notifications', '/v1/tasks/1/notifications').map((all) => [all, ['GET']] as const),
  fc
    .oneof(fc.constantFrom('a', 'b'), segment)
    .map((key) => [`/v1/tasks/by-key/${key}`, ['GET', 'PUT', 'PUT']] as const),
  segment.map((one) => [`/v1/notifications/${one}`, ['GET']] as const),
  fc.array(segment, { maxLength: 4 }).map((segments) => [`/${segments.join('/')}`, ['GET', 'POST']] as const),
)
const anyMethod = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')
const target = resource.chain(([path, usual]) =>
  fc.record({
    method: fc.oneof({ weight: 12, arbitrary: fc.constantFrom<string>(...usual) }, anyMethod),
    path: query.map((text) => path + text),
  }),
)
const request = fc.record({
  target,
  body: fc.option(bytes, { nil: undefined, freq: 8 }),
  headers: fc.record(
    {
      'content-type': fc.oneof(
        { weight: 30, arbitrary: fc.constantFrom('application/json', 'application/merge-patch+json') },
        fc.string(),
      ),
      'if-match': fc.oneof(
        fc.integer({ min: 1, max: 3 }).map((version) => `"${version}"`),
        fc.string(),
      ),
      // Mostly such as let a request pass: the rest of it is to be looked at, too.
      'if-none-match': fc.oneof(
        { weight: 20, arbitrary: fc.constantFrom('"99"', 'W/"99"') },
        fc.constantFrom('*', '"1"'),
        fc.string(),
      ),
      'idempotency-key': fc.oneof({ weight: 20, arbitrary: fc.uuid() }, fc.constantFrom('a', '"b"'), fc.string()),
      prefer: fc.oneof(fc.constantFrom('return=minimal', 'handling=strict'), fc.string()),
      accept: fc.string(),
      traceparent: fc.string(),
    },
    { requiredKeys: ['content-type'] },
  ),
})

const problemMembers = ['type', 'title', 'status', 'detail', 'instance', 'request_id']

test('whatever is asked, the answer is a documented one, and the server stays well', async (t) => {
  const { url, client, clock, lines } = await startTestApp(t, { startAt: '2026-12-01T00:00:00Z' })
  for (const title of ['one', 'two', 'three']) await client.create({ title, expiry_dt: '2026-12-02' })
  const statuses = new Map<number, number>()

  const property = fc.asyncProperty(request, async ({ target: { method, path }, body, headers }) => {
    const mayHaveBody = method !== 'GET' && method !== 'HEAD'
    const sent = mayHaveBody && body ? { headers, body } : { headers: { accept: headers.accept ?? '' } }
    const response = await fetch(url + path, { method, ...sent })
    const text = await response.text()
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)

    assert.ok(
      response.status === 200 || (response.status >= 400 && response.status < 500),
      `${response.status} ${text}`,
    )
    assert.ok(response.headers.get('x-request-id'))
    if (method === 'HEAD') return assert.equal(text, '')
    const answer = JSON.parse(text)
    assert.ok(answer !== null && typeof answer === 'object' && !Array.isArray(answer), text)
    const type = response.headers.get('content-type')
    if (response.status === 200) {
      assert.match(type ?? '', /^application\/json/)
      // What was accepted is there, as it was answered, unless that was long ago or by name only.
      const isOfNow = !response.headers.has('idempotency-replayed')
      if ('version' in answer && 'title' in answer && isOfNow) assert.deepEqual(await client.get(answer.id), answer)
    } else {
      assert.match(type ?? '', /^application\/problem\+json/)
      for (const member of problemMembers) assert.ok(member in answer, `${member} in ${text}`)
      assert.equal(answer.status, response.status)
      assert.equal(answer.request_id, response.headers.get('x-request-id'))
    }
  })
  await fc.assert(property, { numRuns: runs })

  // The requests were neither all right nor all wrong: each of the usual answers was seen.
  for (const status of [200, 400, 404, 405, 422])
    assert.ok(statuses.has(status), `${status} in ${[...statuses.keys()]}`)
  await clock.advance(3 * 86_400_000)
  assert.deepEqual(
    lines.filter((line) => /\b(ERROR|FATAL|broken)\b/.test(line)),
    [],
    'what was accepted can ring',
  )
  assert.equal((await client.health()).status, 'healthy')
  const seen: number[] = []
  for await (const { id } of client.iterate()) seen.push(id)
  assert.equal(new Set(seen).size, seen.length)
})
