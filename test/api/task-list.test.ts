import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskDraftWire } from '#api/schemas/task.ts'
import type { FilterOf, QueryOf } from '#client/client.ts'
import { startTestApp } from '#support/test-app.ts'
import { startAt, withTasks } from './task-list.ts'

test('a list has the tasks that match every filter', async (t) => {
  const { client, clock, titles } = await withTasks(
    t,
    { title: 'past', expiry_dt: '2026-11-30T09:00:00Z', tags: ['home', 'a'] },
    { title: 'now', expiry_dt: startAt, priority: 'high' },
    { title: 'later', expiry_dt: '2026-12-02T09:00:00Z', tags: ['home'], priority: 'high' },
    { title: 'never' },
    { title: 'done', expiry_dt: '2026-11-30T09:00:00Z', completed_dt: '2026-11-29' },
  )
  const rows: [query: QueryOf<'listTasks'>, ...expected: string[]][] = [
    [{}, 'past', 'now', 'later', 'never', 'done'],
    [{ status: 'all' }, 'past', 'now', 'later', 'never', 'done'],
    [{ status: 'open' }, 'past', 'now', 'later', 'never'],
    [{ status: 'expired' }, 'past', 'now'],
    [{ status: 'completed' }, 'done'],
    [{ priority: 'high' }, 'now', 'later'],
    [{ priority: 'low' }],
    [{ tag: 'home' }, 'past', 'later'],
    [{ tag: ['home', 'a'] }, 'past'],
    [{ tag: ['home', 'a', 'b'] }],
    [{ tag: 'hom' }],
    [{ expires_after: startAt }, 'now', 'later'],
    [{ expires_before: startAt }, 'past', 'done'],
    [{ expires_after: startAt, expires_before: '2026-12-02T09:00:00Z' }, 'now'],
    [{ expires_after: '2026-12-01T10:00' }, 'now', 'later'], // in Paris it is an hour later
    [{ expires_after: '2026-12-01 10:00:01' }, 'later'],
    [{ expires_after: '2026-12-02' }, 'later'],
    [{ expires_after: '2026-12-01T18:00[Asia/Tokyo]' }, 'now', 'later'],
    [{ ids: [4, 1, 99, 4] }, 'past', 'never'],
    [{ ids: [2, 3], priority: 'high', tag: 'home' }, 'later'],
    [{ ids: [1, 2, 3, 4], status: 'open', sort: '-expiry_dt' }, 'later', 'now', 'past', 'never'],
    [{ ids: [1, 3, 4, 5], expires_before: '2026-12-02', sort: 'expiry_dt,-title' }, 'past', 'done'],
    [{ q: 'pas' }, 'past'],
    [{ q: 'n', status: 'expired' }, 'now'],
    [{ q: 'n', ids: [3, 4] }, 'never'],
  ]
  for (const [query, ...expected] of rows)
    await t.test(JSON.stringify(query), async () => {
      assert.deepEqual(await titles(query), expected)
      const { total } = await client.listTasks({ ...query, limit: 1, count: true })
      assert.equal(total, expected.length, 'count=true counts them all, whatever the limit')
    })

  await t.test('tasks changed since a time, to the millisecond', async () => {
    const since = (updated_after: string) => titles({ updated_after })
    assert.deepEqual(await since(startAt), [])
    await clock.advance(1)
    await client.updateTask(4, { priority: 'low' })
    assert.deepEqual(await since(startAt), ['never'])
    assert.deepEqual(await since('2026-12-01T09:00:00.001Z'), [])
  })

  await t.test('without count=true there is no total', async () => {
    assert.ok(!('total' in (await client.listTasks())))
  })

  await t.test('tasks that expire in the meantime become expired', async () => {
    await clock.advanceTo('2026-12-02T09:00:00Z')
    assert.deepEqual(await titles({ status: 'expired' }), ['past', 'now', 'later'])
  })
})

test('a tag matches only itself, whatever characters it has', async (t) => {
  const tags = [
    'a',
    'A',
    'a, b',
    'b',
    '"',
    '\\',
    '\\"',
    '","',
    ',',
    '[","',
    '["a"]',
    '%',
    '_',
    'a%',
    '日本',
    '日',
    '😀',
    'é',
    'e\u0301',
    ' a',
    '\u0001',
    "'",
  ]
  const lists = [
    ...tags.map((tag) => [tag]),
    ['x,', 'y'],
    ['x,', ',y'],
    ['x["', 'y'],
    ['x",', 'y'],
    ['x[', 'y'],
    ['x\\",', 'y'],
    ['first', ',', 'last'],
    ['first', ','],
    [',', 'last'],
    ['y', 'a'],
  ]
  const { client } = await withTasks(t, { title: 'untagged' }, ...lists.map((tags) => ({ title: 'x', tags })))
  for (const tag of [...new Set([...lists.flat(), '', 'ab', 'x', 'y"'])].filter(Boolean)) {
    await t.test(JSON.stringify(tag), async () => {
      const found = (await client.listTasks({ tag })).tasks.map((task) => task.tags)
      assert.deepEqual(
        found,
        lists.filter((list) => list.includes(tag)),
      )
    })
  }
})

test('tasks are sorted by each key in turn, then by id; those without an expiry are last in either direction', async (t) => {
  const { titles } = await withTasks(
    t,
    { title: 'b', expiry_dt: '2027-01-02', priority: 'low' },
    { title: 'a', priority: 'high' },
    { title: 'B', expiry_dt: '2027-01-01', priority: 'high' },
    { title: 'é', expiry_dt: '2027-01-02', priority: 'medium' },
    { title: '日', priority: 'none' },
    { title: '😀', expiry_dt: '2027-01-02', priority: 'low' },
  )
  const rows: Record<string, string> = {
    id: 'b a B é 日 😀',
    '-id': '😀 日 é B a b',
    expiry_dt: 'B b é 😀 a 日',
    '-expiry_dt': '😀 é b B 日 a',
    'expiry_dt,-priority': 'B é 😀 b a 日',
    '-expiry_dt,priority': 'b 😀 é B 日 a',
    'expiry_dt,-id': 'B 😀 é b 日 a',
    priority: '日 b 😀 é a B',
    '-priority': 'B a é 😀 b 日',
    '-priority,expiry_dt': 'B a é b 😀 日',
    'priority,-expiry_dt': '日 😀 b é B a',
    title: 'B a b é 日 😀', // by code points
    '-title': '😀 日 é b a B',
    create_dt: 'b a B é 日 😀',
    '-update_dt': '😀 日 é B a b',
    'id,title': 'b a B é 日 😀',
  }
  for (const [sort, expected] of Object.entries(rows))
    await t.test(sort, async () => {
      assert.equal((await titles({ sort })).join(' '), expected)
      for (let limit = 1; limit <= 4; limit++) {
        const [first, second] = [await titles({ sort, limit }), await titles({ sort, limit, offset: limit })]
        assert.equal(
          [...first, ...second].join(' '),
          expected
            .split(' ')
            .slice(0, 2 * limit)
            .join(' '),
          'by offset',
        )
      }
    })
})

const orders: FilterOf<'listTasks'>[] = [
  {},
  { sort: 'expiry_dt' },
  { sort: '-expiry_dt' },
  { sort: 'expiry_dt,-priority' },
  { sort: '-priority,expiry_dt,title' },
  { sort: 'priority,-expiry_dt' },
  { sort: '-title' },
  { sort: '-update_dt' },
  { sort: 'id', status: 'open' },
  { sort: 'expiry_dt', status: 'open', expires_after: '2027-01-02', expires_before: '2027-01-05' },
  { sort: '-expiry_dt', expires_after: '2027-01-02' },
  { sort: 'expiry_dt', tag: 'even' },
  { sort: '-expiry_dt', q: 'task' },
  { sort: 'expiry_dt,title', q: 'task', ids: Array.from({ length: 30 }, (_, i) => i + 1) },
]

for (const query of orders)
  test(`pages of ${JSON.stringify(query).slice(0, 80)} continue where they ended, and while others write, each existing task comes once`, async (t) => {
    const { client, clock } = await startTestApp(t, { startAt, flags: ['--default-reminders='] })
    const priorities = ['none', 'low', 'medium', 'high'] as const
    const draft = (i: number): TaskDraftWire => ({
      title: `Task ${(i * 7) % 10}`,
      expiry_dt: i % 4 === 0 ? null : `2027-01-0${1 + ((i * 5) % 7)}`, // some at one instant
      priority: priorities[(i * 3) % 4] ?? 'none',
      tags: i % 2 === 0 ? ['even'] : [],
    })
    for (let i = 0; i < 40; i++) {
      await client.createTask(draft(i))
      if (i % 3 === 0) await clock.advance(1)
    }
    const walk = async (limit: number) => {
      const ids: number[] = []
      for await (const { id } of client.iterateTasks(query, { pageSize: limit })) ids.push(id)
      return ids
    }
    const all = await walk(1_000)
    assert.ok(all.length > 3)
    for (const limit of [1, 3, 7]) assert.deepEqual(await walk(limit), all, `by ${limit}`)

    const remaining = new Set(all.filter((_, i) => i % 3 !== 1))
    const doomed = all.filter((id) => !remaining.has(id))
    const seen: number[] = []
    let page = await client.listTasks({ ...query, limit: 3 })
    for (let i = 40; ; i++) {
      seen.push(...page.tasks.map(({ id }) => id))
      if (page.next_cursor === null) break
      await client.createTask(draft(i))
      const id = doomed.pop()
      if (id !== undefined) await client.deleteTask(id)
      page = await client.listTasks({ ...query, limit: 3, cursor: page.next_cursor })
    }
    assert.equal(new Set(seen).size, seen.length, 'none twice')
    assert.deepEqual(
      seen.filter((id) => remaining.has(id)),
      all.filter((id) => remaining.has(id)),
      'none left out',
    )
  })
