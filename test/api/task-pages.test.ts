import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem } from '#kit/http-requests.ts'
import { withTasks } from './task-list.ts'

/** Pages of the task list: cursors, bad parameters, 304, and the list of tags. */

test('the next page has the same filter and sort', async (t) => {
  const drafts = Array.from({ length: 5 }, (_, i) => ({
    title: `«Ω» & task ${i}`,
    tags: ['a,b', '日本'],
    expiry_dt: '2027-01-01',
  }))
  const { send } = await withTasks(t, ...drafts)
  const query = new URLSearchParams([
    ['limit', '2'],
    ['offset', '1'],
    ['sort', '-expiry_dt,title'],
    ['status', 'open'],
    ['tag', 'a,b'],
    ['tag', '日本'],
    ['q', 'Ω Tas'],
    ['expires_after', '2026-12-31T23:00:00+00:00'],
    ['ids', '1,2,3,4,5'],
    ['count', 'true'],
  ])
  const seen: string[] = []
  for (let path: string | undefined = `/v1/tasks?${query}`; path; ) {
    const { status, body, headers, text } = await send('GET', path)
    assert.equal(status, 200, text)
    assert.equal(body.total, 5)
    seen.push(...body.tasks.map(({ title }: { title: string }) => title))
    path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
  }
  assert.deepEqual(seen, ['«Ω» & task 1', '«Ω» & task 2', '«Ω» & task 3', '«Ω» & task 4'])
})

test('a cursor belongs to its filter and its sort', async (t) => {
  const { send } = await withTasks(t, ...['a', 'b', 'c'].map((title) => ({ title, tags: ['x', 'y'] })))
  const cursorOf = async (query: string) => {
    const { body } = await send('GET', `/v1/tasks?limit=1&${query}`)
    assert.ok(body.next_cursor, query)
    return body.next_cursor
  }
  const lists = ['', 'sort=title', 'sort=-title', 'sort=expiry_dt', 'status=open', 'tag=x', 'tag=x&tag=y', 'ids=1,2,3']
  for (const from of lists)
    for (const to of lists) {
      const answer = await send('GET', `/v1/tasks?${to}&cursor=${await cursorOf(from)}`)
      if (from === to) assert.equal(answer.status, 200, answer.text)
      else assertProblem(answer, 400, 'cursor')
    }

  await t.test('an equivalent query is the same list', async () => {
    for (const [from, to] of [
      ['tag=x&tag=y', 'tag=y&tag=x&tag=y'],
      ['sort=title', 'sort=title,id'],
      ['', 'sort=id&status=all'],
      ['updated_after=2026-01-01T00:00Z', 'updated_after=2026-01-01T01:00'],
    ] as const)
      assert.equal((await send('GET', `/v1/tasks?${to}&cursor=${await cursorOf(from)}`)).status, 200, `${from} → ${to}`)
  })

  await t.test('a tampered cursor is refused', async () => {
    const cursor = await cursorOf('sort=title')
    const [list, , id] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    for (const position of [
      [],
      ['a'],
      ['a', 1, 1],
      [1, 1],
      [null, 1],
      ['a', null],
      ['a', '1'],
      ['a', 1.5],
      ['a', 1e300],
      ['a\0', id],
      ['\ud83d', id],
      [{}, id],
      [['a'], id],
    ]) {
      const text = Buffer.from(JSON.stringify([list, ...position])).toString('base64url')
      assertProblem(await send('GET', `/v1/tasks?sort=title&cursor=${text}`), 400, 'cursor')
    }
    for (const text of ['', 'x', '%00', 'null', cursor.slice(1), `${cursor}${cursor}`, 'A'.repeat(5_001)])
      assertProblem(await send('GET', `/v1/tasks?sort=title&cursor=${text}`), 400, 'cursor')
  })

  await t.test('and so is one with impossible numbers', async () => {
    const [list] = JSON.parse(Buffer.from(await cursorOf('sort=priority,expiry_dt'), 'base64url').toString())
    for (const [priority, expiry, id] of [
      [4, 1, 1],
      [-1, 1, 1],
      [0.5, 1, 1],
      [null, 1, 1],
      [2 ** 53, 1, 1],
      [0, 2 ** 53, 1],
      [0, '1', 1],
      [0, 1, null],
    ]) {
      const cursor = Buffer.from(JSON.stringify([list, priority, expiry, id])).toString('base64url')
      assertProblem(await send('GET', `/v1/tasks?sort=priority,expiry_dt&cursor=${cursor}`), 400, 'cursor')
    }
    const largest = Buffer.from(JSON.stringify([list, 3, 2 ** 53 - 1, 2 ** 53 - 1])).toString('base64url')
    assert.equal((await send('GET', `/v1/tasks?sort=priority,expiry_dt&cursor=${largest}`)).status, 200)
  })

  await t.test('one with the longest possible title continues after it', async () => {
    const title = '\u0001'.repeat(500)
    const longest = await withTasks(t, { title }, { title: '\u0002' })
    const [first] = (await longest.client.listTasks({ sort: 'title', limit: 1 })).tasks
    assert.equal(first?.title, title)
    const seen: string[] = []
    for await (const task of longest.client.iterateTasks({ sort: 'title' }, { pageSize: 1 })) seen.push(task.title)
    assert.deepEqual(seen, [title, '\u0002'])
  })
})

test('an invalid parameter is refused, and named', async (t) => {
  const { send } = await withTasks(t, { title: 'x' })
  const rows: [query: string, about: string][] = [
    ['sort=', 'sort'],
    ['sort=expiry', 'did you mean expiry_dt?'],
    ['sort=-titel', 'did you mean title?'],
    ['sort=nonsense', 'there are id, expiry_dt, priority, title, create_dt, update_dt'],
    ['sort=title,', 'sort'],
    ['sort=title,-title', 'sort'],
    ['sort=%2Btitle', 'did you mean title?'],
    ['sort=user_id', 'sort'],
    ['sort=toString', 'sort'],
    ['sort=title;drop table tasks', 'sort'],
    ['sort=title&sort=id', 'sort'],
    ['status=done', 'status'],
    ['status=', 'status'],
    ['priority=urgent', 'priority'],
    ['tag=', 'tag'],
    [Array.from({ length: 21 }, (_, i) => `tag=${i}`).join('&'), 'tag'],
    ['count=yes', 'count'],
    ['count=1', 'count'],
    ['ids=', 'ids'],
    ['ids=0', 'ids'],
    ['ids=1,,2', 'ids'],
    ['ids=1,x', 'ids'],
    ['ids=1e3', 'ids'],
    [`ids=${Array.from({ length: 1_001 }, (_, i) => i + 1)}`, 'ids'],
    ['q=', 'q'],
    ['q=%22*%2B-:%25', 'q'],
    [`q=${'x'.repeat(201)}`, 'q'],
    ['q=a&q=b', 'q'],
    ['expires_after=tomorrow', 'expires_after'],
    ['expires_after=2026-12-01T10:00:00+01:00', '%2B'],
    ['expires_before=0001-01-01', 'expires_before'],
    ['updated_after=', 'updated_after'],
    ['statsu=open', 'did you mean status?'],
  ]
  for (const [query, about] of rows) {
    const answer = await send('GET', `/v1/tasks?${query}`)
    await t.test(query.slice(0, 60), () => assertProblem(answer, 400, about))
  }
  assert.equal((await send('GET', `/v1/tasks?ids=${Array.from({ length: 1_000 }, (_, i) => i + 1)}`)).status, 200)
  assertProblem(await send('GET', '/v1/tags?limit=1'), 400, 'limit')
})

test('an unchanged list is not sent again', async (t) => {
  const { client, send } = await withTasks(t, { title: 'a', expiry_dt: '2027-01-01' }, { title: 'b' })
  const etagOf = async (query = '') => (await send('GET', `/v1/tasks${query}`)).headers.get('etag') ?? ''
  const etag = await etagOf()
  assert.match(etag, /^"c\d+\.1"$/)

  await t.test('to a client that has it: 304, with the ETag and nothing else', async () => {
    for (const seen of [etag, `W/${etag}`, `"x", ${etag}`, '*'])
      for (const query of ['', '?limit=1', '?status=open&sort=-expiry_dt&q=a&count=true']) {
        const { status, text, headers } = await send('GET', `/v1/tasks${query}`, { headers: { 'if-none-match': seen } })
        assert.deepEqual([status, text, headers.get('etag')], [304, '', etag], `${seen} ${query}`)
      }
    assert.equal((await send('GET', '/v1/tasks', { headers: { 'if-none-match': '"c0", "1"' } })).status, 200)
    assertProblem(await send('GET', '/v1/tasks', { headers: { 'if-none-match': 'c1' } }), 400, 'If-None-Match')
  })

  await t.test('every change of any task changes the ETag', async () => {
    let before = etag
    for (const change of [
      () => client.updateTask(1, { title: 'c' }),
      () => client.completeTask(1),
      () => client.createTask({ title: 'd' }),
      () => client.updateTasks({ tasks: [{ id: 1, priority: 'low' }] }),
      () => client.deleteTask(2),
      () => client.deleteTasks(),
    ]) {
      await change()
      const { status, headers } = await send('GET', '/v1/tasks', { headers: { 'if-none-match': before } })
      assert.equal(status, 200)
      assert.notEqual(headers.get('etag'), before)
      before = headers.get('etag') ?? ''
    }
    await assert.rejects(client.updateTask(99, { title: 'x' }))
    assert.equal(await etagOf(), before, 'what changes nothing leaves it')
  })

  await t.test('a list of expired tasks depends on the time, and has none', async () => {
    const { headers, status } = await send('GET', '/v1/tasks?status=expired', { headers: { 'if-none-match': '*' } })
    assert.deepEqual([headers.get('etag'), status], [null, 200])
  })
})

test('tags are listed by name, with the number of open and of expired tasks', async (t) => {
  const { client, clock } = await withTasks(
    t,
    { title: 'a', tags: ['home', '日本', '"quoted", \\'], expiry_dt: '2026-12-01T10:00:00Z' },
    { title: 'b', tags: ['home'], expiry_dt: '2026-11-01' },
    { title: 'c', tags: ['home', 'done'], completed_dt: '2026-11-01', expiry_dt: '2026-11-01' },
    { title: 'd', tags: ['Home'] },
    { title: 'e' },
  )
  const tags = async () => (await client.listTags()).tags.map(({ name, open, expired }) => `${name} ${open} ${expired}`)
  assert.deepEqual(await tags(), ['"quoted", \\ 1 0', 'Home 1 0', 'done 0 0', 'home 2 1', '日本 1 0'])
  await clock.advanceTo('2026-12-01T10:00:00Z')
  assert.deepEqual(await tags(), ['"quoted", \\ 1 1', 'Home 1 0', 'done 0 0', 'home 2 2', '日本 1 1'])
  await client.updateTask(1, { tags: [] })
  await client.deleteTask(3)
  assert.deepEqual(await tags(), ['Home 1 0', 'home 1 1'])
  await client.deleteTasks()
  assert.deepEqual(await tags(), [])
})
