import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { TestAppOptions } from '#support/test-app.ts'
import type { Reading } from '#web/format/reading.ts'
import { assertAccessible, openWebPage, skip, startWebApp } from './kit.ts'

/** Quick add shows the parts of a text, and Enter creates exactly that. */

// The dates have the form of the browser below, whatever the language of the machine.
Object.defineProperty(navigator, 'languages', { value: ['en-GB'] })
const { keepAsText, readText } = await import('#web/format/reading.ts')

interface Vector {
  readonly text: string
  readonly task?: { readonly title: string }
  readonly now?: string
  readonly zone?: string
  readonly language?: string
}

const file = JSON.parse(readFileSync(new URL('../../src/quick-add/vectors.json', import.meta.url), 'utf8'))
const vectors = file.vectors as Vector[]

const read = (words: string, { now = file.now, zone = file.zone, language = 'en' }: Partial<Vector> = {}): Reading =>
  readText(words, { now: Date.parse(now), zone, languages: [language] })

const labels = (words: string, vector?: Partial<Vector>) => read(words, vector).chips.map(({ label }) => label)

test('each thing that is read is a chip, in words', () => {
  assert.deepEqual(labels('Renew TLS certificate friday 9am #certificates #home !high ~1d ~15m'), [
    'Fri 4 Dec, 09:00',
    'certificates',
    'home',
    'High priority',
    '1 day before',
    '15 minutes before',
  ])
  assert.deepEqual(labels('Renew 2027-03-14'), ['Sun, 14 Mar 2027'])
  assert.deepEqual(labels('Call tomorrow 9am America/New_York'), ['Wed 2 Dec, 15:00', '09:00 in America/New_York'])
  assert.deepEqual(labels('Oven in 90 min'), ['Tue 1 Dec, 11:30'])
  assert.deepEqual(labels('Pay rent every month on the 1st 9am'), ['Fri, 1 Jan 2027, 09:00', 'Every month on the 1st'])
  assert.deepEqual(labels('Buy milk'), [])
  assert.deepEqual(labels('Zahnarzt morgen um 9 #privat !hoch ~1t', { language: 'de' }), [
    'Wed 2 Dec, 09:00',
    'privat',
    'High priority',
    '1 day before',
  ])
})

test('the language is the first of the reader that is known', () => {
  const options = { now: Date.parse(file.now), zone: file.zone }
  assert.equal(readText('Zahnarzt morgen', { ...options, languages: ['nl', 'de-AT', 'en'] }).task?.title, 'Zahnarzt')
  assert.equal(readText('Pay 5/6', { ...options, languages: ['en-GB'] }).task?.expiry_date, '2027-06-05')
})

test('a recurrence has its first three dates, and one after completion only its first', () => {
  assert.deepEqual(read('Gym every monday 18:00').dates, ['Mon 7 Dec, 18:00', 'Mon 14 Dec, 18:00', 'Mon 21 Dec, 18:00'])
  assert.deepEqual(read('Pay every 31st').dates, ['Thu 31 Dec', 'Sun, 31 Jan 2027', 'Sun, 28 Feb 2027'])
  assert.deepEqual(read('Descale the kettle every! 6 weeks').dates, ['Tue 1 Dec'])
  assert.deepEqual(read('Buy milk tomorrow').dates, [])
})

test('notes say in plain words what may have been meant otherwise', () => {
  const notes = (words: string) => read(words).notes.map((note) => note.replaceAll(/[\u2068\u2069]/g, ''))
  assert.deepEqual(notes('Call monday 4 december 2026'), ['4 December 2026 is a Friday, not a Monday.'])
  assert.deepEqual(notes('Standup today 9am'), ['That time has passed today, so it is read as 2 December 2026.'])
  assert.deepEqual(notes('Renew 2020-03-14'), ['This date is in the past.'])
  assert.deepEqual(notes('Report every 15th workday'), [
    '“15th workday” is not kept: a workday of a month depends on the holidays. Write a day or a weekday.',
  ])
  assert.deepEqual(notes('Call mom ~1d'), ['Reminders come before an expiry, and this task has none.'])
  assert.deepEqual(notes('tomorrow #home'), ['Write a title too: this is only a date, a tag or the like.'])
  assert.deepEqual(notes('a'.repeat(501)), ['A task has at most 500 characters. This text has 501.'])
})

test('a chip that is dismissed is part of the title, whatever the text and its language', () => {
  let dismissed = 0
  for (const vector of vectors) {
    const before = read(vector.text, vector)
    for (const chip of before.chips) {
      const edited = keepAsText(vector.text, chip)
      const after = read(edited, vector)
      const words = chip.pieces.map(({ start, end }) => vector.text.slice(start, end))
      for (const word of words) {
        const title = after.task?.title ?? ''
        assert.ok(title.includes(word.replaceAll(/\s+/g, ' ')), `${vector.text}: ${word} is not in ${title}`)
      }
      const stillRead = after.chips.flatMap(({ pieces }) => pieces.map(({ start, end }) => edited.slice(start, end)))
      for (const word of words) assert.ok(!stillRead.includes(word), `${edited}: ${word} is still read`)
      dismissed += 1
    }
  }
  assert.ok(dismissed > 300, `${dismissed}`)
})

async function open(t: TestContext, options: TestAppOptions & { readonly width?: number } = {}) {
  const app = await startWebApp(t, options)
  const web = await openWebPage(t, app, options)
  await web.goTo('')
  await web.page.getByText('Nothing expires yet.').waitFor()
  const field = web.page.getByRole('textbox', { name: 'New task' })
  const chips = async () => (await web.page.locator('.got .chip').allInnerTexts()).map((one) => one.trim())
  const only = async () => {
    const { tasks } = await app.client.listTasks({})
    assert.equal(tasks.length, 1)
    return tasks[0] as (typeof tasks)[number]
  }
  return { app, web, page: web.page, field, chips, only }
}

test('Enter creates what is shown, in the zone of the settings', { skip }, async (t) => {
  const { web, page, field, chips, only } = await open(t)
  await field.fill('Pay rent every month on the 1st 9am #home !high ~1d')
  await page.locator('.got .chip').first().waitFor()
  assert.equal(await page.locator('.got .title bdi').innerText(), 'Pay rent')
  assert.deepEqual(await chips(), [
    'Tue 1 Dec, 09:00',
    'Every month on the 1st',
    'home',
    'High priority',
    '1 day before',
  ])
  assert.deepEqual(
    (await page.getByRole('list', { name: 'Next dates' }).locator('li').allInnerTexts()).map((one) =>
      one.replace(/^then\s*/, ''),
    ),
    ['Tue 1 Dec, 09:00', 'Fri, 1 Jan 2027, 09:00', 'Mon, 1 Feb 2027, 09:00'],
  )
  const sent = page.waitForRequest((request) => request.method() === 'POST')
  await page.keyboard.press('Enter')
  assert.deepEqual((await sent).postDataJSON(), {
    title: 'Pay rent',
    expiry_dt: '2026-12-01T09:00',
    recurrence: { rule: 'FREQ=MONTHLY;BYMONTHDAY=1', from: 'expiry' },
    tags: ['home'],
    priority: 'high',
    reminders: ['P1D'],
  })
  await page.getByText('Added “').waitFor()
  const task = await only()
  assert.equal(task.expiry_dt, '2026-12-01T08:00:00.000Z')
  assert.equal(task.recurrence_text, 'every month on the 1st')
  assert.equal(await field.inputValue(), '')
  await field.blur()
  await page.keyboard.press('z')
  await page.getByText('Deleted “').waitFor()
  assert.deepEqual(web.complaints, [])
})

test('a chip goes by its button and by Backspace, and its words are the title', { skip }, async (t) => {
  const { web, page, field, chips, only } = await open(t)
  await field.fill('Watch Friday #film tomorrow at 8')
  await page.locator('.got .chip').first().waitFor()
  await page.getByRole('button', { name: /Keep .*#film/ }).click()
  assert.equal(await field.inputValue(), 'Watch Friday "#film" tomorrow at 8')
  assert.deepEqual(await chips(), ['Tue 24 Nov, 08:00'])
  await page.keyboard.press('Tab')
  await page.keyboard.press('Backspace')
  // The other day of the text takes the place of the one that is gone.
  assert.deepEqual(await chips(), ['Fri 27 Nov'])
  await page.keyboard.press('Tab')
  await page.keyboard.press('Backspace')
  assert.deepEqual(await chips(), [])
  await page.keyboard.press('Enter')
  await page.getByText('Added “').waitFor()
  const { title, expiry_dt, tags } = await only()
  assert.deepEqual([title, expiry_dt, tags], ['Watch Friday #film tomorrow at 8', null, []])
  assert.deepEqual(web.complaints, [])
})

test('the preview follows the time', { skip }, async (t) => {
  const { web, page, field, only } = await open(t)
  await field.fill('Oven in 90 min')
  await page.getByText('Mon 23 Nov, 14:30').first().waitFor()
  await web.advance(60_000)
  await page.getByText('Mon 23 Nov, 14:31').first().waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('Added “').waitFor()
  assert.match((await only()).expiry_dt ?? '', /^2026-11-23T13:31:/)
  assert.deepEqual(web.complaints, [])
})

test('without the parser all of the text is the title, and a hint says so', { skip }, async (t) => {
  const { page, field, only } = await open(t)
  await page.route('**/reading-*.js', (route) => route.abort())
  await field.fill('Buy milk tomorrow #home')
  await page.getByText('all of it becomes the title').waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('Added “').waitFor()
  const { title, expiry_dt } = await only()
  assert.deepEqual([title, expiry_dt], ['Buy milk tomorrow #home', null])
  // The next focus loads what failed.
  await page.unroute('**/reading-*.js')
  await field.blur()
  await field.fill('Buy bread tomorrow')
  await page.getByText('Tue 24 Nov').first().waitFor()
})

test('a browser without Temporal adds titles', { skip }, async (t) => {
  const { page, field, only } = await open(t)
  await page.addInitScript('delete globalThis.Temporal')
  await page.reload()
  await field.fill('Buy milk tomorrow')
  await page.getByText('all of it becomes the title').waitFor()
  await page.keyboard.press('Enter')
  await page.getByText('Added “').waitFor()
  assert.equal((await only()).title, 'Buy milk tomorrow')
})

test('an Enter before the parser is there waits for it', { skip }, async (t) => {
  const { web, page, field, only } = await open(t)
  let go = () => {}
  const held = new Promise<void>((resolve) => {
    go = resolve
  })
  await page.route('**/reading-*.js', async (route) => {
    await held
    await route.continue()
  })
  await field.fill('Buy milk tomorrow')
  await page.keyboard.press('Enter')
  go()
  await page.getByText('Added “').waitFor()
  const { title, expiry_date } = await only()
  assert.deepEqual([title, expiry_date], ['Buy milk', '2026-11-24'])
  assert.deepEqual(web.complaints, [])
})

test('a text without a title stays, and so does one that the server refuses', { skip }, async (t) => {
  const { app, web, page, field } = await open(t)
  await field.fill('tomorrow #home')
  await page.getByText('Write a title too').waitFor()
  await page.keyboard.press('Enter')
  assert.equal(await page.getByRole('button', { name: 'Add task' }).getAttribute('aria-disabled'), 'true')
  assert.equal(await field.inputValue(), 'tomorrow #home')
  await page.route('**/v1/tasks', (route) =>
    route.fulfill({
      status: 422,
      contentType: 'application/problem+json',
      body: JSON.stringify({ type: '/problems/invalid', title: 'Invalid', detail: 'Not this one.', request_id: 'r' }),
    }),
  )
  await field.fill('Buy milk tomorrow')
  await page.keyboard.press('Enter')
  await page.getByText('Not this one.').waitFor()
  assert.equal(await field.inputValue(), 'Buy milk tomorrow')
  assert.equal((await app.client.listTasks({})).tasks.length, 0)
  assert.deepEqual(web.complaints, [])
})

test('hostile text is text', { skip }, async (t) => {
  const { web, page, field, chips } = await open(t)
  await field.fill('<img src=x onerror=alert(1)> \u202Eevil tomorrow #<b>x</b> #a&b')
  await page.locator('.got .chip').first().waitFor()
  assert.deepEqual(await chips(), ['Tue 24 Nov', 'a&b'])
  assert.equal(await page.locator('.qa img').count(), 0)
  assert.deepEqual(web.complaints, [])
})

test('it is accessible, and fits phones and desks', { skip }, async (t) => {
  const { web, page, field } = await open(t)
  await field.fill('Pay rent every month on the 1st 9am #home !high ~1d')
  await page.locator('.got .chip').first().waitFor()
  await assertAccessible(web, 'quick-add')
  await field.fill(
    `Call the landlord about the ${'very '.repeat(20)}old heating monday 4 december 2026 #home #rent ~1w ~1d`,
  )
  await page.getByText('is a Friday').waitFor()
  await assertAccessible(web, 'quick-add-note')
  await field.fill('tomorrow #home')
  await page.getByText('Write a title too').waitFor()
  await assertAccessible(web, 'quick-add-no-title')
  assert.deepEqual(web.complaints, [])
})
