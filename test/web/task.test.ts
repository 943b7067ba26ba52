import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Locator } from 'playwright-core'
import type { TestApp } from '#support/test-app.ts'
import { formatReminder, toLead } from '../../src/web/format/lead.ts'
import { assertAccessible, type OpenOptions, openWebPage, skip, startWebApp, type WebPage } from './kit.ts'

/** The screen of one task, in a browser. The time is Monday 23 November 2026, 13:00:18 in Berlin. */

const title = 'Renew the TLS certificate for mail.example.org'

async function addTasks({ client }: TestApp) {
  await client.createTask({ title: 'Move the car', expiry_dt: '2026-11-23T13:48+01:00', tags: ['home'] })
  return client.createTask({
    title,
    description: 'After renewal reload Postfix and Dovecot.',
    expiry_dt: '2026-11-24T09:00+01:00',
    reminders: ['P1D', 'PT1H', 'PT0S'],
    tags: ['certificates', 'mail'],
    priority: 'high',
  })
}

async function open(t: TestContext, options: OpenOptions = {}) {
  const app = await startWebApp(t)
  const task = await addTasks(app)
  const web = await openWebPage(t, app, options)
  await web.goTo(`tasks/${task.id}`)
  const panel = web.page.getByRole('article', { name: title })
  await panel.getByRole('textbox', { name: 'Title' }).waitFor()
  const current = () => app.client.getTask(task.id)
  const toasted = (text: string) => web.page.locator('.toast', { hasText: text }).waitFor()
  return { app, web, page: web.page, panel: web.page.getByRole('article'), id: task.id, current, toasted }
}

test('title and notes are saved when the field is left, Escape takes a title back, and undo brings the old one', {
  skip,
}, async (t) => {
  const { web, page, panel, current, toasted } = await open(t)
  const field = panel.getByRole('textbox', { name: 'Title' })
  await field.fill('Renew it')
  await field.press('Enter')
  await toasted('Changed “')
  assert.equal((await current()).title, 'Renew it')
  await page.locator('.row[aria-current]', { hasText: 'Renew it' }).waitFor()
  await field.fill('Something else')
  await field.press('Escape')
  assert.equal(await field.inputValue(), 'Renew it')
  await page.keyboard.press('z')
  await page.locator('.row[aria-current]', { hasText: title }).waitFor()
  assert.equal((await current()).title, title)
  await panel.getByRole('textbox', { name: 'Notes' }).fill('<b>Two</b>\nlines')
  await panel.getByRole('textbox', { name: 'Notes' }).press('Control+Enter')
  await toasted('Changed “')
  assert.equal((await current()).description, '<b>Two</b>\nlines')
  assert.deepEqual(web.complaints, [])
})

test('the expiry is a time or a whole day, in the zone of the user, and undo restores either', { skip }, async (t) => {
  const { web, page, panel, current, toasted } = await open(t)
  const date = panel.getByLabel('Date')
  await date.fill('2026-11-26')
  await panel.getByLabel('Time', { exact: true }).fill('18:30')
  await date.press('Enter')
  await toasted('Changed “')
  assert.equal(Date.parse((await current()).expiry_dt ?? ''), Date.parse('2026-11-26T18:30+01:00'))
  await panel.getByText('Expires Thu 26 Nov, 18:30').waitFor()
  await date.fill('2030-01-01')
  await date.press('Escape')
  assert.equal(await date.inputValue(), '2026-11-26')
  await panel.getByLabel('Whole day').check()
  await panel.getByText('Expires Thu 26 Nov', { exact: true }).waitFor()
  assert.equal((await current()).expiry_date, '2026-11-26')
  await page.keyboard.press('z')
  await panel.getByText('Expires Thu 26 Nov, 18:30').waitFor()
  assert.equal((await current()).expiry_date, null)
  await panel.getByRole('button', { name: 'Remove the expiry' }).click()
  await panel.getByText('No expiry', { exact: true }).waitFor()
  assert.equal((await current()).expiry_dt, null)
  assert.deepEqual(web.complaints, [])
})

test('reminders are the defaults, none, or a list that is edited', { skip }, async (t) => {
  const { web, panel, current, toasted } = await open(t)
  const saved = async (expected: readonly string[] | null) => {
    await toasted('Changed “')
    await panel.getByText('· saved').waitFor()
    assert.deepEqual((await current()).reminders, expected)
  }
  await panel.getByRole('button', { name: 'Remove the reminder 1 hour before' }).click()
  await panel.getByRole('button', { name: 'Remove the reminder 1 hour before' }).waitFor({ state: 'detached' })
  await saved(['P1D', 'PT0S'])
  await panel.getByRole('button', { name: 'Add a reminder' }).click()
  await panel.getByLabel('Number').fill('2')
  await panel.getByLabel('Unit').selectOption('weeks')
  await panel.getByLabel('Time of day').fill('08:00')
  await assertAccessible(web, 'task-adding')
  await panel.getByLabel('Number').press('Enter')
  await panel.getByText('14 days before, at 08:00').waitFor()
  await saved(['P1D', 'PT0S', 'P14D@08:00'])
  await panel.getByText('None', { exact: true }).first().click()
  await panel.getByText('Nothing reminds you of this task.').waitFor()
  await saved([])
  await panel.getByText('Default', { exact: true }).click()
  await panel.getByText(/^By your settings: /).waitFor()
  await saved(null)
  assert.deepEqual(web.complaints, [])
})

test('tags and priority are changed, one right after the other', { skip }, async (t) => {
  const { web, page, panel, current } = await open(t)
  const tag = panel.getByLabel('Add a tag')
  await tag.fill('discarded')
  await tag.press('Escape')
  await tag.fill('#ops')
  await tag.press('Enter')
  await panel.getByRole('button', { name: 'Remove the tag mail' }).click()
  await panel.getByText('Medium').click()
  await page.getByText('· saved').waitFor()
  const { tags, priority } = await current()
  assert.deepEqual([tags, priority], [['certificates', 'ops'], 'medium'])
  assert.deepEqual(web.complaints, [])
})

test('a change elsewhere of another member is no conflict; of the same one, the user decides', { skip }, async (t) => {
  const { app, web, page, panel, id, current } = await open(t)
  // The change counts against the task as it was when the typing began.
  const notes = panel.getByRole('textbox', { name: 'Notes' })
  await notes.fill('Mine')
  await app.client.updateTask(id, { priority: 'low' })
  await notes.blur()
  await panel.getByText('· saved').waitFor()
  assert.deepEqual([(await current()).description, (await current()).priority], ['Mine', 'low'])

  await notes.fill('Mine again')
  await app.client.updateTask(id, { description: 'Theirs' })
  await notes.blur()
  await panel.getByText('This task was changed elsewhere').waitFor()
  assert.match((await panel.locator('.theirs').textContent()) ?? '', /Notes, elsewhere:Theirs/)
  assert.equal(await notes.inputValue(), 'Mine again')
  await assertAccessible(web, 'task-conflict')
  await page.setViewportSize({ width: 1180, height: 900 })
  await panel.getByRole('button', { name: 'Keep mine' }).click()
  await panel.getByText('· saved').waitFor()
  assert.equal((await current()).description, 'Mine again')

  await notes.fill('Mine for the third time')
  await app.client.updateTask(id, { description: 'Theirs again' })
  await notes.blur()
  await panel.getByRole('button', { name: 'Take theirs' }).click()
  assert.equal(await notes.inputValue(), 'Theirs again')
  assert.equal((await current()).description, 'Theirs again')
  assert.deepEqual(web.complaints, [])
})

test('a refused value stays in the field, with the reason', { skip }, async (t) => {
  const { web, panel, current } = await open(t)
  const field = panel.getByRole('textbox', { name: 'Title' })
  await field.fill('x'.repeat(501))
  await field.press('Enter')
  await panel.getByText('Your change is not saved').waitFor()
  assert.equal((await field.inputValue()).length, 501)
  await assertAccessible(web, 'task-refused')
  await field.fill('Shorter')
  await field.press('Enter')
  await panel.getByText('Your change is not saved').waitFor({ state: 'detached' })
  assert.equal((await current()).title, 'Shorter')
  assert.deepEqual(web.complaints, [])
})

test('by the keyboard alone: open from the list, edit, complete, snooze, delete with undo, close', {
  skip,
}, async (t) => {
  const { app, web, page, panel, id, current, toasted } = await open(t)
  await page.goto(`${app.url}/`)
  await page.locator('.row .t').first().waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await panel.getByRole('textbox', { name: 'Title' }).waitFor()
  await page.keyboard.press('e')
  await page.keyboard.press('End')
  await page.keyboard.type(' soon')
  await page.keyboard.press('Enter')
  await toasted('Changed “')
  await page.keyboard.press('s')
  await page.keyboard.press('Escape')
  assert.match(page.url(), /\/tasks\/\d+$/)
  await page.keyboard.press('s')
  await page.keyboard.press('Enter')
  await panel.getByText('Snoozed until 13:10').waitFor()
  await page.locator('article').focus()
  await page.keyboard.press('c')
  await panel.getByText('Completed 13:00').waitFor()
  assert.notEqual((await current()).completed_dt, null)
  await page.keyboard.press('c')
  await panel.getByText(/Expires .*24 Nov/).waitFor()
  assert.equal((await current()).title, `${title} soon`)
  await page.keyboard.press('Escape')
  await page.getByRole('heading', { name: 'Expiring', level: 1 }).waitFor()
  assert.equal(await page.evaluate('document.activeElement.closest(".row")?.id'), `task-${id}`)
  await page.keyboard.press('Enter')
  await panel.getByRole('textbox', { name: 'Title' }).waitFor()
  await page.keyboard.press('Delete')
  await toasted('Deleted “')
  await page.getByRole('heading', { name: 'Expiring', level: 1 }).waitFor()
  await page.locator(`#task-${id}`).waitFor({ state: 'detached' })
  await page.keyboard.press('z')
  await page.locator(`#task-${id}`).waitFor()
  assert.deepEqual(web.complaints, [])
})

/** The page asks again by timers, which its paused clock holds. */
async function advanceUntil(web: WebPage, shown: Locator): Promise<void> {
  for (let i = 0; i < 100 && !(await shown.isVisible()); i++) await web.advance(1_000)
  assert.ok(await shown.isVisible())
}

test('its history has every notification with its deliveries, live, and a failed one is retried', {
  skip,
}, async (t) => {
  const { app, web, page, panel, id } = await open(t)
  await app.client.updateTask(id, { expiry_dt: '2026-11-23T14:00+01:00', reminders: ['PT59M', 'PT0S'] })
  app.recorder.answer = () => ({ retry: false, reason: '401: the token is no longer valid' })
  await web.advance(45_000)
  const entry = panel.locator('.tl > li', { hasText: 'Reminder, 59 minutes before' })
  await advanceUntil(web, entry.getByText('Failed', { exact: true }))
  await entry.getByText('the token is no longer valid').waitFor()
  await assertAccessible(web, 'task-failed')
  await page.setViewportSize({ width: 1180, height: 900 })
  app.recorder.answer = () => undefined
  await entry.getByRole('button', { name: 'Retry now' }).click()
  await entry.getByRole('button', { name: 'Retry now' }).waitFor({ state: 'detached' })
  await advanceUntil(web, entry.locator('.sent li', { hasText: 'recording' }).getByText(/^Delivered/))
  assert.equal(await entry.getByRole('button', { name: 'Retry now' }).count(), 0)
  assert.deepEqual(web.complaints, [])
})

test('it is a page on a phone, opens a completed task, and says what is not there', { skip }, async (t) => {
  const { app, web, page, panel, id } = await open(t, { width: 390 })
  assert.equal(await page.locator('.list').count(), 0)
  const decoration = () => page.evaluate<string>('getComputedStyle(document.querySelector(".ttl")).textDecorationLine')
  assert.equal(await decoration(), 'none')
  await assertAccessible(web, 'task')
  await app.client.completeTask(id)
  await web.goTo(`tasks/${id}`)
  await panel.getByText('Completed 13:00').waitFor()
  assert.equal(await decoration(), 'line-through')
  await assertAccessible(web, 'task-completed')
  await web.goTo('tasks/999999')
  await page.getByText('There is no task 999999, or it is in the trash.').waitFor()
  await assertAccessible(web, 'task-missing')
  assert.deepEqual(web.complaints, [])
})

test('reminders are read aloud, and written as leads', () => {
  const options = { now: Date.parse('2026-11-23T12:00:18Z'), zone: 'Europe/Berlin' }
  const texts: readonly [string, string][] = [
    ['PT15M', '15 minutes before'],
    ['P1D', '1 day before'],
    ['P7D@09:00', '7 days before, at 09:00'],
    ['-P1D', '1 day after'],
    ['PT0S', 'when it expires'],
    ['P1DT2H', '1 day 2 hours before'],
    ['P1Y', 'P1Y'],
    ['2026-11-23T15:00:00Z', '16:00'],
  ]
  for (const [reminder, expected] of texts) assert.equal(formatReminder(reminder, options), expected)
  assert.deepEqual(
    [toLead(15, 'minutes'), toLead(2, 'weeks', '09:00'), toLead(0, 'days'), toLead(1, 'days')],
    ['PT15M', 'P14D@09:00', 'PT0S', 'P1D'],
  )
})
