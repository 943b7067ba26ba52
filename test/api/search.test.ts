import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusal, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** One list of tasks, one of searches, and the tasks that each finds: the same on every database. */
const titles = [
  'Renew the passport', // 1
  "Renew domain example.com, ask ann.o'neil+dns@example.com", // 2
  'To be or not to be', // 3
  'Pay rent – 1.200,50 €', // 4
  'Straße nach Köln, ÜBERWEISUNG', // 5
  'パスポートを更新する', // 6
  '東京タワー 2号 日本', // 7
  'e-mail: re-new NOT "quoted" AND (x OR y) NEAR z*', // 8
  'snake_case C++ 100% a/b\\c', // 9
  '🎉🎉', // 10
  'The the THE a i', // 11
  'ＦＵＬＬ ｗｉｄｔｈ ﬁne ½', // 12
  'Cafe\u0301 creme', // 13, in two characters
  `${'x'.repeat(70)} end`, // 14
  'हिन्दी 한국어', // 15
  'plain', // 16, with a description
] as const

const searches: Record<string, number[]> = {
  // words, and their beginnings
  passport: [1],
  PASSPORT: [1],
  pass: [1],
  port: [],
  renew: [1, 2],
  'renew pass': [1],
  'pass renew': [1],
  'renew  renew': [1, 2],
  'renew rent': [],
  bring: [16],
  'plain bring': [16],
  // words that the full-text search of a database would leave out
  the: [1, 11],
  to: [3],
  'to be or not to be': [3],
  not: [3, 8],
  a: [2, 8, 9, 11, 16],
  i: [11],
  of: [],
  www: [],
  or: [3, 8],
  x: [8, 14],
  // numbers
  '1': [4, 9, 12],
  '1200': [],
  '1.200': [4],
  '50': [4],
  '100%': [9],
  // characters that join or separate words
  'e-mail': [8],
  email: [],
  'example.com': [2],
  "ann.o'neil+dns@example.com": [2],
  '@example': [2],
  neil: [2],
  snake_case: [9],
  case: [9],
  'a/b\\c': [9],
  'c++': [2, 9, 13],
  // operators of every engine are no operators
  '"renew"': [1, 2],
  '"renew the': [1],
  'renew*': [1, 2],
  '*renew': [1, 2],
  '+renew -passport': [1],
  '-renew': [1, 2],
  'NOT renew': [],
  'renew NOT': [],
  'renew OR rent': [],
  'x AND y': [8],
  'x NEAR y': [8],
  'NEAR(x y)': [8],
  'words:renew': [],
  '{words}: renew': [],
  '^renew': [1, 2],
  'renew & passport': [1],
  'renew | rent': [],
  '!renew': [1, 2],
  'renew <-> the': [1],
  'renew:*': [1, 2],
  'renew:A': [2],
  "'renew'": [1, 2],
  "renew' or '1'='1": [],
  '(renew': [1, 2],
  'renew)': [1, 2],
  '~renew': [1, 2],
  '>renew <passport': [1],
  '@3 renew': [],
  'renew%': [1, 2],
  're%w': [],
  ren_w: [],
  '\\renew': [1, 2],
  'renew\0passport': [1],
  'renew; drop table search': [],
  // other letters
  straße: [5],
  STRASSE: [],
  köln: [5],
  KÖLN: [5],
  koln: [],
  überw: [5],
  'u\u0308berweisung': [5],
  café: [13],
  'cafe\u0301': [13],
  cafe: [],
  full: [12],
  ｆｕｌｌ: [12],
  fine: [12],
  パスポート: [6],
  ﾊﾟｽﾎﾟｰﾄ: [6],
  更新: [6],
  新更: [6],
  ポスト: [6],
  日本: [7],
  '日 東': [7],
  '2号': [7],
  京都: [],
  हिन्दी: [15],
  हि: [15],
  한국: [15],
  // longer than the significant part
  ['x'.repeat(60)]: [14],
  ['x'.repeat(61)]: [14],
  [`${'x'.repeat(59)}y`]: [],
  [`${'x '.repeat(99)}en`]: [14],
}

test('a search finds the same words on every database', async (t) => {
  const { client, url } = await startTestApp(t)
  for (const title of titles)
    await client.createTask({ title, ...(title === 'plain' && { description: 'Bring two photos,\nand a stamp' }) })
  const found = async (q: string) => (await client.listTasks({ q })).tasks.map(({ id }) => id)

  for (const [q, expected] of Object.entries(searches))
    await t.test(q.slice(0, 60), async () => assert.deepEqual(await found(q), expected))

  await t.test('a search without a letter or a digit is refused', async () => {
    for (const q of [
      '"',
      '*',
      '+',
      '-',
      ':',
      '%',
      '_',
      '\\',
      "'",
      '()',
      '🎉',
      '€',
      ' ',
      '\0',
      '\u0301',
      '–',
      '@',
      '~<>&|!',
    ])
      assert.deepEqual([q, (await refusal(client.listTasks({ q }))).status], [q, 400])
  })

  await t.test('arbitrary bytes cause no server error', async () => {
    const send = wireTo(url)
    for (const q of [
      '%ff',
      '%ed%a0%80',
      '%C0%AF',
      'a%ff',
      'a%00b',
      '%F0%9F',
      '%zz',
      '%',
      'a%EF%BF%BF',
      'a%F4%8F%BF%BF',
    ])
      for (const parameter of ['q', 'tag', 'sort', 'ids', 'cursor', 'expires_after', 'status']) {
        const { status, text } = await send('GET', `/v1/tasks?${parameter}=${q}`)
        assert.ok(status === 200 || status === 400, `${parameter}=${q}: ${text}`)
      }
  })
})

test('a search finds every change at once', async (t) => {
  const { client } = await startTestApp(t)
  const found = async (q: string) => (await client.listTasks({ q })).tasks.map(({ id }) => id)
  const { id } = await client.createTask({ title: 'Renew passport', description: 'two photos' })
  await client.createTask({ title: 'Renew domain' })
  assert.deepEqual([await found('renew'), await found('photos')], [[1, 2], [1]])
  await client.updateTask(id, { title: 'Extend passport' })
  assert.deepEqual([await found('renew'), await found('extend'), await found('photos')], [[2], [1], [1]])
  await client.updateTask(id, { description: null })
  assert.deepEqual(await found('photos'), [])
  await client.updateTasks({
    tasks: [
      { id: 1, title: 'Both' },
      { id: 2, title: 'Both of them' },
    ],
  })
  assert.deepEqual([await found('both'), await found('renew')], [[1, 2], []])
  await client.updateTask(id, { title: '🎉' })
  assert.deepEqual(await found('both'), [2])
  await client.updateTask(id, { title: 'Both' })
  await client.deleteTask(2)
  assert.deepEqual(await found('both'), [1])
  await client.deleteTasks()
  assert.deepEqual(await found('both'), [])
  await client.createTask({ title: 'Both again' })
  assert.deepEqual(await found('both'), [3])
})

test('refused tasks are not found, and those in the same transaction are', async (t) => {
  const { client } = await startTestApp(t)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      client.createTask({ title: `Task w${i}`, key: i % 5 === 4 ? 'taken' : `key ${i}` }),
    ),
  )
  const created = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  assert.equal(created.length, 17, String(outcomes.map((one) => (one.status === 'rejected' ? one.reason : 'made'))))
  const { tasks } = await client.listTasks({ q: 'task' })
  assert.deepEqual(
    tasks,
    created.sort((a, b) => a.id - b.id),
  )
  for (const { id, title } of created) {
    const same = (await client.listTasks({ q: title })).tasks.filter((task) => task.title === title)
    assert.deepEqual(
      same.map((task) => task.id),
      [id],
    )
  }
})
