import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { TestApp } from '#support/test-app.ts'
import { assertAccessible, openWebPage, skip, startWebApp } from './kit.ts'

/** The first screen, in a browser. */

const minuteMs = 60_000

/** Some tasks of each group: the time is Monday 23 November 2026, 13:00:18 in Berlin. */
async function addTasks({ client }: TestApp): Promise<void> {
  await client.createTasks({
    tasks: [
      { title: 'Return library books', expiry_dt: '2026-11-23T11:00+01:00', tags: ['home'] },
      { title: 'Cancel the gym trial', expiry_date: '2026-11-22', tags: ['home'] },
      { title: 'Join the vendor call', expiry_dt: '2026-11-23T13:12+01:00', tags: ['work'] },
      { title: 'Move the car', expiry_dt: '2026-11-23T13:48+01:00', tags: ['home'] },
      { title: 'Submit the October expense report', expiry_dt: '2026-11-23T16:20+01:00', tags: ['work'] },
      { title: 'Renew the TLS certificate', expiry_dt: '2026-11-24T09:00+01:00', priority: 'high' },
      { title: 'Order a water filter', expiry_date: '2026-11-24', tags: ['home'] },
      { title: 'Last day to cancel the mobile contract with three months of notice', expiry_date: '2026-11-28' },
      { title: 'تجديد رخصة القيادة قبل السفر', expiry_date: '2027-01-09', tags: ['documents'] },
      { title: 'Read the pension statement' },
    ],
  })
}

async function open(t: TestContext) {
  const app = await startWebApp(t)
  await addTasks(app)
  const web = await openWebPage(t, app)
  await web.goTo('')
  await web.page.getByText('Move the car').waitFor()
  return { app, web, page: web.page }
}

test('it groups tasks by their expiry, and counts the next one down', { skip }, async (t) => {
  const { web, page } = await open(t)
  const texts = async (selector: string) =>
    (await page.locator(selector).allInnerTexts()).map((one) => one.replaceAll(/\s+/g, ' '))
  assert.deepEqual(await texts('.group > h2, summary'), [
    'Expired 2',
    'Within the hour 2',
    'Later today 1',
    'Tomorrow 2',
    'This week 1',
    'Later 1',
    'No expiry 1',
  ])
  assert.deepEqual(await texts('.row > time'), [
    'yesterday',
    '2 h ago',
    '11:42',
    'in 47 min',
    'in 3 h 19 min',
    '09:00',
    'whole day',
    'Sat 28 Nov',
    'Sat, 9 Jan 2027',
  ])
  assert.match((await texts('.top + p'))[0] ?? '', /^2 expired\. Next: Join the vendor call 11:42$/)
  await web.advance(2_000)
  await page.getByText('11:40').first().waitFor()
  await web.advance(11 * minuteMs + 40_000)
  await page.getByRole('heading', { name: 'Expired 3' }).waitFor()
  assert.deepEqual(web.complaints, [])
})

test('a task that another program adds, changes or completes is shown at once', { skip }, async (t) => {
  const { app, web, page } = await open(t)
  const task = await app.client.createTask({ title: 'Call Ada', expiry_dt: '2026-11-23T18:00+01:00' })
  await page.getByRole('link', { name: 'Call Ada' }).last().waitFor()
  await app.client.updateTask(task.id, { title: 'Call Grace' })
  await page.getByRole('link', { name: 'Call Grace' }).last().waitFor()
  await app.client.completeTask(task.id)
  await page.locator(`#task-${task.id}`).waitFor({ state: 'detached' })
  assert.deepEqual(web.complaints, [])
})

test('quick add adds a task, by its key, and undo takes it back', { skip }, async (t) => {
  const { app, web, page } = await open(t)
  await page.keyboard.press('n')
  await page.keyboard.type('Buy <b>milk</b>')
  await page.keyboard.press('Enter')
  await page.getByText('Added “').waitFor()
  assert.equal((await app.client.listTasks({ q: 'milk' })).tasks[0]?.title, 'Buy <b>milk</b>')
  assert.equal(await page.getByRole('textbox', { name: 'New task' }).inputValue(), '')
  await page.getByRole('textbox', { name: 'New task' }).blur()
  await page.keyboard.press('z')
  await page.getByText('Deleted “').waitFor()
  await page.locator('.row', { hasText: 'milk' }).waitFor({ state: 'detached' })
  assert.deepEqual(web.complaints, [])
})

test('a task is completed by its circle, stays for a moment, and undo opens it again', { skip }, async (t) => {
  const { app, web, page } = await open(t)
  const row = page.locator('.row', { hasText: 'Move the car' })
  await row.getByRole('button', { name: 'Complete: Move the car' }).click()
  await page.getByText('Completed “').waitFor()
  assert.match((await row.getAttribute('class')) ?? '', /is-done/)
  await web.advance(1_000)
  await row.waitFor({ state: 'detached' })
  assert.equal((await app.client.listTasks({ status: 'completed' })).tasks.length, 1)
  await page.keyboard.press('z')
  await row.waitFor()
  await page.getByText('Reopened “').waitFor()
  await web.advance(9_000)
  await page.getByText('Reopened “').waitFor({ state: 'detached' })
  assert.equal((await app.client.listTasks({ status: 'completed' })).tasks.length, 0)
  assert.deepEqual(web.complaints, [])
})

test('a task is snoozed from its row, by the keyboard alone', { skip }, async (t) => {
  const { app, web, page } = await open(t)
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('s')
  await page.getByRole('button', { name: '1 hour' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('Snoozed until 14:00').waitFor()
  const { tasks } = await app.client.listTasks({ q: 'library' })
  assert.equal(Date.parse(tasks[0]?.snoozed_until_dt ?? ''), app.clock.now() + 60 * minuteMs)
  assert.deepEqual(web.complaints, [])
})

test('a change that the server refuses is taken back, and a message says why', { skip }, async (t) => {
  const { web, page } = await open(t)
  await page.route('**/complete', (route) =>
    route.fulfill({
      status: 409,
      contentType: 'application/problem+json',
      body: JSON.stringify({ type: '/problems/conflict', title: 'Conflict', detail: 'Not today.', request_id: 'r' }),
    }),
  )
  await page.getByRole('button', { name: 'Complete: Move the car' }).click()
  await page.getByText('Not today.').waitFor()
  assert.equal(await page.locator('.row.is-done').count(), 0)
  assert.deepEqual(web.complaints, [])
})

test('it is accessible, and fits phones and desks, with tasks, with none and with the help open', {
  skip,
}, async (t) => {
  const { web, page } = await open(t)
  await assertAccessible(web, 'expiring')
  for (const name of ['7 d', '30 d']) {
    await page.getByText(name, { exact: true }).click()
    await assertAccessible(web, `expiring-${name.replace(' ', '')}`)
  }
  await page.keyboard.press('Escape')
  await page.locator('h1').click()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
  await assertAccessible(web, 'help')
  const empty = await startWebApp(t)
  const first = await openWebPage(t, empty)
  await first.goTo('')
  await first.page.getByText('Nothing expires yet.').waitFor()
  await assertAccessible(first, 'first-run')
  assert.deepEqual([...web.complaints, ...first.complaints], [])
})
