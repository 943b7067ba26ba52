import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertProblem, refusal, wireTo } from '#kit/http-requests.ts'
import { wrapConnections } from '#support/failing-database.ts'
import { startTestApp } from '#support/test-app.ts'

/** PUT /v1/tasks beyond the original's contract: versions as conditions, preferences, exchanged keys, a thousand tasks at once. */

test('a version in an item is a condition', async (t) => {
  const { client } = await startTestApp(t)
  const made = await Promise.all(['a', 'b', 'c', 'd'].map((title) => client.createTask({ title })))
  const ids = made.map(({ id }) => id).sort((a, b) => a - b)
  const [a, b, c, d] = ids as [number, number, number, number]
  const all = async () => (await client.listTasks()).tasks

  await t.test('if all match, the tasks are changed', async () => {
    const { tasks } = await client.updateTasks({
      tasks: [
        { id: c, version: 1, title: 'C' },
        { id: a, title: 'A' },
      ],
    })
    assert.deepEqual(
      tasks.map(({ id, title, version }) => [id, title, version]),
      [
        [c, 'C', 2],
        [a, 'A', 2],
      ],
    )
  })

  await t.test('if one does not match, nothing is changed, and every faulty item is named', async () => {
    const before = await all()
    const { status, problem } = await refusal(
      client.updateTasks({
        tasks: [
          { id: b, version: 1, title: 'changed' },
          { id: a, version: 1, title: 'changed' },
          { id: 4_711, version: 1 },
          { id: c, version: 3 },
          { id: d, title: 'changed' },
        ],
      }),
    )
    assert.equal(status, 409)
    assert.deepEqual(problem.errors, [
      { pointer: '/tasks/1/version', detail: `is 1, but task ${a} is at 2` },
      { pointer: '/tasks/3/version', detail: `is 3, but task ${c} is at 2` },
    ])
    assert.deepEqual(await all(), before)
  })

  await t.test('a list can be sent back as it was read, unless one of its tasks has changed', async () => {
    const read = await all()
    const edited = read.map((task) => ({ ...task, tags: ['edited'] }))
    const { tasks } = await client.updateTasks({ tasks: edited })
    assert.deepEqual(
      tasks.map(({ version }) => version),
      read.map(({ version }) => version + 1),
    )
    const { problem } = await refusal(
      client.updateTasks({ tasks: edited.map((task) => ({ ...task, tags: ['stale'] })) }),
    )
    assert.equal(problem.errors?.length, 4)
    assert.deepEqual(
      await all(),
      tasks.toSorted((x, y) => x.id - y.id),
    )
  })

  await t.test('must be a number', async () => {
    for (const version of ['1', 1.5, null, {}]) {
      const { status, problem } = await refusal(client.updateTasks({ tasks: [{ id: a, version: version as number }] }))
      assert.deepEqual([status, problem.errors?.[0]?.pointer], [422, '/tasks/0/version'])
    }
  })
})

test('preferences', async (t) => {
  const { client, url } = await startTestApp(t)
  const { id } = await client.createTask({ title: 'there' })
  const send = wireTo(url)

  await t.test('strict: an unknown id is answered 404 for all, with the ids', async () => {
    const items = [{ id, title: 'changed' }, { id: 4_711 }, { id: 4_712, title: '?' }]
    const { status, problem } = await refusal(client.updateTasks({ tasks: items }, { strict: true }))
    assert.deepEqual([status, problem.missing], [404, [4_711, 4_712]])
    assert.equal((await client.getTask(id)).title, 'there')
    const { tasks, missing } = await client.updateTasks({ tasks: items })
    assert.deepEqual([tasks[0]?.title, missing], ['changed', [4_711, 4_712]])
  })

  await t.test('minimal: id and version of each task, and the missing ids', async () => {
    const answer = await client.updateTasks({ tasks: [{ id, title: 'again' }, { id: 4_711 }] }, { minimal: true })
    assert.deepEqual(answer, { tasks: [{ id, version: 3 }], missing: [4_711] })
  })

  await t.test('the response names the applied preferences', async () => {
    for (const [prefer, applied] of [
      ['handling=strict', 'handling=strict'],
      ['return=minimal, handling=strict', 'handling=strict, return=minimal'],
      ['handling=lenient', null],
      ['handling=lenient, handling=strict', null],
    ]) {
      const { headers } = await send('PUT', '/v1/tasks', {
        body: { tasks: [{ id }] },
        headers: { prefer: prefer as string },
      })
      assert.equal(headers.get('preference-applied'), applied, `${prefer}`)
    }
    const headers = { prefer: 'handling=strict' }
    assertProblem(await send('PUT', '/v1/tasks', { body: { tasks: [{ id: 4_711 }] }, headers }), 404)
  })
})

test('keys exchanged within one request', async (t) => {
  const { client } = await startTestApp(t)
  const make = async (...keys: (string | null)[]) => {
    await client.deleteTasks()
    const ids: number[] = []
    for (const key of keys) ids.push((await client.createTask({ title: `was ${key}`, key })).id)
    return ids as [number, number, number]
  }
  const keys = async () => (await client.listTasks()).tasks.map(({ key }) => key)

  await t.test('two tasks swap their keys', async () => {
    const [one, two] = await make('a', 'b')
    const { tasks } = await client.updateTasks({
      tasks: [
        { id: one, key: 'b' },
        { id: two, key: 'a' },
      ],
    })
    assert.deepEqual(
      tasks.map(({ key, version }) => [key, version]),
      [
        ['b', 2],
        ['a', 2],
      ],
    )
    assert.deepEqual(await keys(), ['b', 'a'])
  })

  await t.test('three keys rotate, another is passed on and then cleared', async () => {
    const [one, two, three] = await make('a', 'b', 'c')
    const round = [
      { id: one, key: 'b', title: 'x' },
      { id: two, key: 'c' },
      { id: three, key: 'a' },
    ]
    await client.updateTasks({ tasks: round })
    assert.deepEqual(await keys(), ['b', 'c', 'a'])
    await client.updateTasks({
      tasks: [
        { id: three, key: 'b' },
        { id: one, key: null },
      ],
    })
    assert.deepEqual(await keys(), [null, 'c', 'b'])
  })

  await t.test('two tasks cannot have the same key: 409 that names it, and nothing is changed', async () => {
    const [one, two, three] = await make('a', 'b', 'c')
    const requests = [
      [{ id: one, key: 'b' }],
      [
        { id: one, key: 'b' },
        { id: two, title: 'keeps b' },
        { id: three, key: 'd' },
      ],
      [
        { id: one, key: 'b' },
        { id: two, key: null },
        { id: three, key: 'b' },
      ],
    ]
    for (const request of requests) {
      const { status, problem } = await refusal(client.updateTasks({ tasks: request }))
      assert.equal(status, 409)
      assert.match(problem.detail, /«b»/)
      assert.deepEqual(await keys(), ['a', 'b', 'c'])
    }
  })
})

test('a thousand tasks', async (t) => {
  let statements = 0
  const { client, clock, recorder } = await startTestApp(t, {
    startAt: '2026-12-01T09:00:00Z',
    wrapDatabase: (dialect) =>
      wrapConnections(dialect, (_, run) => {
        statements++
        return run()
      }),
  })
  const description = 'é'.repeat(32_768)
  const create = (i: number) =>
    client.createTask({ title: `Task ${i}`, expiry_dt: '2026-12-24', tags: ['a'], reminders: [] })
  const made: Awaited<ReturnType<typeof create>>[] = []
  // Not all at once: on a slow machine the last would wait longer than the request timeout.
  while (made.length < 1_000)
    made.push(...(await Promise.all(Array.from({ length: 100 }, (_, i) => create(made.length + i)))))
  made.sort((a, b) => a.id - b.id)

  await t.test('are changed in a few statements, each as requested', async () => {
    statements = 0
    const { tasks } = await client.updateTasks({
      tasks: made.map(({ id, version }, i) => ({
        id,
        version,
        title: `${i} ${'ü'.repeat(i % 5)}`,
        expiry_dt: '2026-12-25',
      })),
    })
    const used = statements
    assert.deepEqual(
      tasks.map((task) => ({ ...task, update_dt: '' })),
      made.map((task, i) => ({
        ...task,
        title: `${i} ${'ü'.repeat(i % 5)}`,
        expiry_dt: '2026-12-25T00:00:00.000Z',
        update_dt: '',
        version: 2,
      })),
    )
    assert.deepEqual((await client.listTasks()).tasks, tasks)
    t.diagnostic(`${used} statements`)
    // SQLite takes a hundred rows at a time, since its statements are prepared; new titles are new words for the search index as well.
    assert.ok(used <= 100, `${used} statements`)
  })

  await t.test('each with another change: other members stay', async () => {
    const changes = [
      { title: 'named' },
      { description },
      { tags: [] },
      { priority: 'high' as const },
      { completed_dt: '2026-12-01T08:00:00.000Z' },
      { reminders: ['P1D'] },
      {},
    ]
    const changeOf = (i: number) => changes[i % changes.length] ?? {}
    const before = (await client.listTasks({ limit: 70 })).tasks
    const { tasks } = await client.updateTasks({ tasks: before.map(({ id }, i) => ({ id, ...changeOf(i) })) })
    assert.deepEqual(
      tasks.map((task) => ({ ...task, update_dt: '' })),
      before.map((task, i) => ({
        ...task,
        ...changeOf(i),
        version: task.version + (Object.keys(changeOf(i)).length > 0 ? 1 : 0),
        update_dt: '',
      })),
    )
    assert.deepEqual((await client.listTasks({ limit: 70 })).tasks, tasks)
  })

  await t.test('moved back to an expiry that has fired, tasks do not fire again; others do', async () => {
    const [a, b, c] = made.slice(-3)
    assert.ok(a && b && c)
    const move = (expiry_dt: string) =>
      client.updateTasks({ tasks: [a, b, c].map(({ id }) => ({ id, expiry_dt, reminders: ['PT15M'] })) })
    const notified = () => recorder.messages.filter(({ task }) => task.id >= a.id).length
    await move('2026-12-25')
    await clock.advanceTo('2026-12-24T23:46:00Z')
    assert.equal(notified(), 3)
    await move('2026-12-27')
    await move('2026-12-25')
    await clock.advanceTo('2026-12-26T00:00:00Z')
    assert.equal(notified(), 3, 'told stays told')
    await move('2026-12-28')
    await clock.advanceTo('2026-12-28T00:00:00Z')
    assert.equal(notified(), 6)
  })
})

test('two requests that change the same tasks in opposite orders both succeed', async (t) => {
  const { client } = await startTestApp(t)
  const made = await Promise.all(Array.from({ length: 50 }, (_, i) => client.createTask({ title: `${i}` })))
  const ids = made.map(({ id }) => id)
  for (let round = 0; round < 10; round++) {
    const write = (order: number[], title: string) => client.updateTasks({ tasks: order.map((id) => ({ id, title })) })
    await Promise.all([
      write(ids, `a ${round}`),
      write(ids.toReversed(), `b ${round}`),
      ...ids.slice(0, 8).map((id) => client.updateTask(id, { tags: [`${round}`] })),
    ])
    const titles = new Set((await client.listTasks()).tasks.map(({ title }) => title))
    assert.equal(titles.size, 1, 'one after the other, never mixed')
  }
})
