import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TaskWire } from '#api/schemas/task.ts'
import { sortDone } from '#web/state/sort-done.ts'
import { assertAccessible, openWebPage, skip, startWebApp } from './kit.ts'

/** The screen of completed tasks. The time is Monday 23 November 2026, 13:00:18 in Berlin. */

test('a task has its final place before all pages are loaded, or is not shown yet', () => {
  const at = (id: number, update_dt: string, completed_dt: string | null) =>
    ({ id, update_dt, completed_dt }) as TaskWire
  // In the order of the server: the first was completed long ago, and edited last.
  const loaded = [at(1, '09', '01'), at(2, '08', '05'), at(3, '07', '07'), at(4, '05', '05'), at(5, '04', null)]
  const ids = (isComplete: boolean, count: number) => sortDone(loaded.slice(0, count), isComplete).map(({ id }) => id)
  assert.deepEqual(ids(false, 3), [3])
  assert.deepEqual(ids(false, 4), [3, 2, 4])
  assert.deepEqual(ids(true, 5), [3, 2, 4, 1])
})

test('completed tasks are by day, newest first, and are reopened with undo', { skip }, async (t) => {
  const app = await startWebApp(t)
  await app.client.createTasks({
    tasks: [
      { title: 'Long ago', completed_dt: '2026-11-02T08:00:00Z', tags: ['home'] },
      { title: 'Before midnight in Berlin', completed_dt: '2026-11-22T22:30:00Z', expiry_date: '2026-11-30' },
      { title: 'This morning', completed_dt: '2026-11-23T08:00:00Z', priority: 'high', tags: ['work'] },
      { title: 'Still open' },
    ],
  })
  const web = await openWebPage(t, app)
  const { page } = web
  await web.goTo('done')
  await page.getByText('3 completed tasks').waitFor()
  const texts = async (selector: string) =>
    (await page.locator(selector).allInnerTexts()).map((one) => one.replaceAll(/\s+/g, ' '))
  assert.deepEqual(await texts('.group h2'), ['Today 1', 'Yesterday 1', 'Mon 2 Nov 1'])
  assert.deepEqual(await texts('.row > time'), ['09:00', '23:30', '09:00'])
  await assertAccessible(web, 'done')

  await page.getByRole('button', { name: 'Reopen: This morning' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('Reopened “').waitFor()
  await page.getByText('2 completed tasks').waitFor()
  assert.equal((await app.client.listTasks({ status: 'open' })).tasks.length, 2)
  await page.keyboard.press('z')
  await page.getByText('3 completed tasks').waitFor()
  assert.deepEqual(await texts('.group h2'), ['Today 1', 'Yesterday 1', 'Mon 2 Nov 1'])

  const [task] = (await app.client.listTasks({ q: 'still' })).tasks
  await app.client.completeTask((task as TaskWire).id)
  await page.getByText('4 completed tasks').waitFor()
  assert.deepEqual((await texts('.row .t')).slice(0, 2), ['Still open', 'This morning'])
  assert.deepEqual(web.complaints, [])
})

test('before the first one it says what will be here', { skip }, async (t) => {
  const app = await startWebApp(t)
  const web = await openWebPage(t, app)
  await web.goTo('done')
  await web.page.getByText('Nothing is done yet.').waitFor()
  await assertAccessible(web, 'done-empty')
  assert.deepEqual(web.complaints, [])
})
