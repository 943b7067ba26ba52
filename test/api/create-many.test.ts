import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, assertProblem, type Sending, wireTo } from '#kit/http-requests.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { startTestApp } from '#support/test-app.ts'
import { inviteAccounts } from '#test/access/accounts.ts'

/** `POST /v1/tasks` with a list: all tasks are created, or none. */

type Draft = Record<string, unknown>
const postTo =
  (url: string) =>
  (tasks: unknown, headers: Sending['headers'] = {}): Promise<Answer> =>
    wireTo(url)('POST', '/v1/tasks', { body: { tasks }, headers })
const drafts = (count: number): Draft[] => Array.from({ length: count }, (_, i) => ({ title: `Task ${i}` }))
const pointers = ({ body }: Answer) => body.errors?.map(({ pointer }: { pointer: string }) => pointer)

test('a list of drafts', async (t) => {
  const app = await startTestApp(t, { startAt: '2026-12-01T09:00:00Z' })
  const { client, url } = app
  const post = postTo(url)

  await t.test('is created in its order, and each task is returned like a single one', async () => {
    const list = [
      { title: 'Renew passport', description: 'Two photos', expiry_dt: '2026-12-24T10:00[Europe/Paris]', key: 'a' },
      { title: 'Think of a present', tags: ['family'], priority: 'high', reminders: [], uid: 'mine@example.org' },
      { title: 'Done already', completed_dt: '2026-11-30' },
    ]
    const answer = await post(list)
    assert.equal(answer.status, 200)
    assert.deepEqual([answer.headers.get('location'), answer.headers.get('etag')], [null, null])
    const { tasks } = answer.body
    assert.deepEqual(Object.keys(answer.body), ['tasks'])
    const singles = []
    for (const draft of list) {
      const { key, uid, ...rest } = draft as Draft
      singles.push((await wireTo(url)('POST', '/v1/tasks', { body: rest })).body)
    }
    const without = ({ id: _, uid: __, key: ___, ...rest }: Draft) => rest
    assert.deepEqual(tasks.map(without), singles.map(without))
    assert.deepEqual(
      [tasks[0].key, tasks[1].uid, tasks[0].expiry_dt],
      ['a', 'mine@example.org', '2026-12-24T09:00:00.000Z'],
    )
    for (const task of tasks) assert.deepEqual(await client.getTask(task.id), task)
    assert.deepEqual((await client.listTasks({ q: 'renew pass' })).tasks[0], tasks[0], 'is found by its words')
  })

  await t.test('returns id and version of each with `Prefer: return=minimal`', async () => {
    const { body, headers } = await post(drafts(2), { prefer: 'return=minimal' })
    assert.deepEqual(
      body.tasks.map((mark: Draft) => [Object.keys(mark), mark.version]),
      [
        [['id', 'version'], 1],
        [['id', 'version'], 1],
      ],
    )
    assert.equal(headers.get('preference-applied'), 'return=minimal')
  })

  await t.test('is one change for each task', async () => {
    const { cursor } = await client.listChanges()
    const { body } = await post(drafts(3))
    assert.deepEqual((await client.listChanges({ since: cursor })).tasks, body.tasks)
  })

  await t.test('fires at once if a reminder is due, and later if not', async () => {
    app.recorder.take()
    await post([
      { title: 'Soon', expiry_dt: '2026-12-01T09:10:00Z' },
      { title: 'Later', expiry_dt: '2026-12-01T12:00:00Z' },
      { title: 'Past', expiry_dt: '2026-12-01T08:00:00Z' },
    ])
    await app.app.idle()
    const titles = () =>
      app.recorder
        .take()
        .map((text) => /title:"(\w+)"/.exec(text)?.[1])
        .sort()
    assert.deepEqual(titles(), ['Past', 'Soon'])
    await app.clock.advanceTo('2026-12-01T11:45:00Z')
    assert.deepEqual(titles(), ['Later'])
  })
})

test('one invalid draft refuses all, and is named by its position', async (t) => {
  const { client, url } = await startTestApp(t)
  const post = postTo(url)
  await client.createTask({ title: 'There', key: 'taken', uid: 'taken@example.org' })
  const listWith = (i: number, draft: Draft) => drafts(20).with(i, { title: 'Other', ...draft })
  const refused: [words: string, list: unknown, status: number, at: string[], detail: RegExp][] = [
    ['an empty title', listWith(17, { title: '' }), 422, ['/tasks/17/title'], /tasks\.17\.title/],
    ['a member that is not known', listWith(3, { titel: 'x' }), 422, ['/tasks/3/titel'], /did you mean title/],
    ['a time that is none', listWith(4, { expiry_dt: 'soon' }), 422, ['/tasks/4/expiry_dt'], /tasks\.4\.expiry_dt/],
    ['a zone that is none', listWith(5, { time_zone: 'Paris' }), 422, ['/tasks/5/time_zone'], /tasks\.5\.time_zone/],
    ['half a surrogate pair', listWith(6, { title: '\ud800' }), 422, ['/tasks/6/title'], /tasks\.6\.title/],
    ['a key that is taken', listWith(7, { key: 'taken' }), 409, ['/tasks/7/key'], /tasks\.7\.key is taken by task 1/],
    ['a uid that is taken', listWith(8, { uid: 'taken@example.org' }), 409, ['/tasks/8/uid'], /by task 1/],
    [
      'a key that is there twice',
      listWith(9, { key: 'twice' }).with(2, { title: 'First', key: 'twice' }),
      409,
      ['/tasks/9/key'],
      /tasks\.9\.key is the same as that of tasks\.2/,
    ],
    [
      'a uid that is there twice, and a key that is taken',
      listWith(9, { uid: 'u' }).with(2, { title: 'First', uid: 'u' }).with(0, { title: 'x', key: 'taken' }),
      409,
      ['/tasks/9/uid', '/tasks/0/key'],
      /No task was created/,
    ],
    ['no task', [], 422, ['/tasks'], /fewer than 1 items/],
    ['too many', drafts(1_001), 422, ['/tasks'], /more than 1000 items/],
    ['no list', { title: 'x' }, 422, ['/tasks'], /must be array/],
    ['something else in it', listWith(1, {}).with(2, 'x' as never), 422, ['/tasks/2'], /must be object/],
  ]
  for (const [words, list, status, at, detail] of refused)
    await t.test(words, async () => {
      const answer = await post(list)
      assertProblem(answer, status)
      assert.deepEqual(pointers(answer), at)
      assert.match(answer.body.detail, detail)
      assert.equal((await client.listTasks()).tasks.length, 1, 'nothing was created')
    })

  await t.test(
    'a list beside other members is refused because of these, and the response to a single task does not mention lists',
    async () => {
      const send = wireTo(url)
      const beside = await send('POST', '/v1/tasks', { body: { tasks: drafts(1), title: 'x' } })
      assert.deepEqual([beside.status, pointers(beside)], [422, ['/title']])
      const single = await send('POST', '/v1/tasks', { body: { titel: 'x' } })
      assert.deepEqual(pointers(single), ['/title', '/titel'])
    },
  )

  await t.test('a list has the same body limits as any request, and the problem names them', async () => {
    const large = await post(drafts(17).map((draft) => ({ ...draft, description: 'x'.repeat(65_000) })))
    assertProblem(large, 413)
    assert.match(large.body.detail, /larger than 1 MiB/)
    const members = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`m${i}`, 1]))
    const many = await post(drafts(1_000).map((draft) => ({ ...draft, ...members })))
    assertProblem(many, 413)
    assert.match(many.body.detail, /more than 30,000 objects, arrays and members/)
    assert.equal((await client.listTasks()).tasks.length, 1)
  })
})

test('users may have the same keys and uids', async (t) => {
  const app = await startTestApp(t, { flags: ['--login'] })
  const { root, add } = await inviteAccounts(app)
  const ada = await add('ada')
  const tasks = [{ title: 'x', key: 'same', uid: 'same@example.org' }, { title: 'y' }]
  const [mine, theirs] = [await root.ask('POST', '/v1/tasks', { tasks }), await ada.ask('POST', '/v1/tasks', { tasks })]
  assert.deepEqual((await root.ask('GET', '/v1/tasks')).tasks, mine.tasks)
  assert.deepEqual((await ada.ask('GET', '/v1/tasks')).tasks, theirs.tasks)
})

test('with an Idempotency-Key a list is created once, and the whole response is replayed', async (t) => {
  const { client, url } = await startTestApp(t)
  const post = postTo(url)
  for (const [key, prefer] of [
    ['full', 'return=representation'],
    ['short', 'return=minimal'],
  ] as const) {
    const headers = { 'idempotency-key': `"${key}"`, prefer }
    const before = (await client.listTasks()).tasks.length
    const first = await post(drafts(200), headers)
    const again = await post(drafts(200), headers)
    assert.deepEqual([first.status, again.status, again.text], [200, 200, first.text])
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
    assert.equal(again.headers.get('preference-applied'), first.headers.get('preference-applied'))
    assert.equal((await client.listTasks()).tasks.length, before + 200)
    assertProblem(await post(drafts(201), headers), 422)
  }
  const refused = { 'idempotency-key': '"refused"' }
  assertProblem(await post([{ title: '' }], refused), 422)
  assert.equal((await post([{ title: 'Mended' }], refused)).status, 200, 'a refusal keeps no key')
})

test('a thousand tasks are created in a few statements', async (t) => {
  let statements = 0
  const { client, url } = await startTestApp(t, {
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, (_, run) => {
        statements++
        return run()
      }),
  })
  await client.createTask({ title: 'The first' })
  const list = drafts(1_000).map((draft, i) => ({
    ...draft,
    description: i === 7 ? 'é'.repeat(32_768) : `${i} ${'ü'.repeat(i % 5)}`,
    key: `key ${i}`,
    uid: `${i}@example.org`,
    expiry_dt: '2027-12-24T10:00:00Z',
    tags: i % 2 === 0 ? ['even'] : [],
  }))
  statements = 0
  const answer = await postTo(url)(list)
  const used = statements
  assert.equal(answer.status, 200, answer.text.slice(0, 500))
  assert.deepEqual((await client.listTasks()).tasks.slice(1), answer.body.tasks, 'ids are in the order of the list')
  assert.deepEqual(
    answer.body.tasks.map(({ title, description, key, uid, tags }: Draft) => ({ title, description, key, uid, tags })),
    list.map(({ expiry_dt: _, ...draft }) => draft),
  )
  t.diagnostic(`${used} statements`)
  // SQLite takes a hundred rows at a time, since its statements are prepared; words of the search index are rows as well.
  assert.ok(used <= 100, `${used} statements`)
})

test('concurrent lists that share keys are each created completely or not at all', async (t) => {
  const { client, url } = await startTestApp(t)
  const post = postTo(url)
  // Each list shares its last key with the first one of the next list.
  const listOf = (n: number) => Array.from({ length: 11 }, (_, i) => ({ title: `${n}`, key: `${n * 10 + i}` }))
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => post(listOf(n))))
  const { tasks } = await client.listTasks()
  for (const [n, { status, body }] of answers.entries()) {
    const there = tasks.filter(({ title }) => title === `${n}`)
    assert.ok(status === 200 || status === 409, `${status}`)
    assert.equal(there.length, status === 200 ? 11 : 0)
    if (status === 200) assert.deepEqual(there, body.tasks)
  }
  assert.ok(answers.some(({ status }) => status === 200))
  assert.equal(new Set(tasks.map(({ key }) => key)).size, tasks.length)
})
