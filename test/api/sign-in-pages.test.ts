import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { clientWith, password, signIn, startWithLogin } from '#support/accounts.ts'
import { startTestApp } from '#support/test-app.ts'

/** The sign-in pages in a browser, by its keyboard alone. SIGN_IN_PICTURES names a folder for screenshots of each. */
const browser = '/usr/bin/chromium'
const skip = existsSync(browser) ? false : `no browser at ${browser}`
if (skip && process.env.CI === 'true') throw new Error(`${skip}, and CI is to have one`)
const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const pictures = process.env.SIGN_IN_PICTURES

async function openBrowser(t: TestContext): Promise<Browser> {
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet]
  const chrome = await chromium.launch({ executablePath: browser, args })
  t.after(() => chrome.close())
  return chrome
}

/** A page of this server, and everything it must not do: contact another server, violate its policy, fail. */
async function openPage(chrome: Browser, url: string) {
  const context = await chrome.newContext({ viewport: { width: 1180, height: 900 } })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const complaints: string[] = []
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(request.url())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // The browser also reports that a request was refused.
    if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  return { page, context, complaints }
}

/** On a phone and on a desktop, in light and in dark mode. */
async function look(page: Page, name: string) {
  for (const width of [390, 1180])
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const seen = await page.evaluate<number>('document.documentElement.scrollWidth')
      assert.ok(seen <= width, `${name}: ${seen} px wide at ${width}`)
      if (pictures) await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`) })
    }
}

/** The next key presses go to the focused element, as for a user without a mouse. */
async function type(page: Page, ...keys: string[]) {
  for (const key of keys) {
    if (key === 'Tab' || key === 'Enter' || key === 'Space') await page.keyboard.press(key)
    else await page.keyboard.type(key)
  }
}

/** The user of a page, by its own session. */
const whoIs = (page: Page) =>
  page.evaluate<string | undefined>(`fetch('/v1/session').then((r) => r.json()).then((s) => s.user?.name)`)

test('a server is set up by the printed link: a name, a password, and the first token is shown', {
  skip,
}, async (t) => {
  const app = await startTestApp(t, { flags: ['--login'] })
  const { page, complaints } = await openPage(await openBrowser(t), app.url)
  await page.goto(`${app.url}/set-up`)
  await page.getByText('The link is not complete').waitFor()
  assert.equal(await page.getByRole('textbox').count(), 0)
  await look(page, 'set-up-incomplete')

  const link = /http\S+\/set-up#dbi_\w+/.exec(app.lines.join('\n'))?.[0] ?? ''
  await page.goto('about:blank') // otherwise only the fragment would change
  await page.goto(link)
  await look(page, 'set-up')
  await type(page, 'ada', 'Tab', 'aaaaaaaaaaaa', 'Enter')
  await page.getByText('Password is too easy to guess.').waitFor()
  await look(page, 'set-up-refused')
  // The focus is on the faulty field.
  await page.keyboard.press('Control+A')
  await type(page, password, 'Enter')
  await page.getByRole('heading', { name: 'Setup is complete' }).waitFor()
  await look(page, 'set-up-done')
  const token = await page.locator('code').innerText()
  assert.equal((await clientWith(app.url, token).listUsers()).users[0]?.name, 'ada')
  assert.equal(page.url(), `${app.url}/set-up`, 'the code is not in the history')
  assert.equal(await page.evaluate<string>('document.activeElement.textContent'), 'Setup is complete')
  await type(page, 'Tab', 'Enter')
  await page.getByRole('button', { name: /Copied|Selected/ }).waitFor()
  assert.equal(await whoIs(page), 'ada', 'and is signed in')

  await page.goto('about:blank')
  await page.goto(link)
  await type(page, 'eve', 'Tab', password, 'Enter')
  await page.getByText('was used already').waitFor()
  assert.deepEqual(complaints, [])
})

test('an invitation shows the name of the account, and accepts a password', { skip }, async (t) => {
  const { app, root } = await startWithLogin(t, { flags: ['--public-url=https://tasks.example.org'] })
  const { invitation } = await root.client.createUser({ name: 'ada' })
  const { page, complaints } = await openPage(await openBrowser(t), app.url)
  await page.goto((invitation?.url ?? '').replace('https://tasks.example.org', app.url))
  await page.getByText('You sign in as ada').waitFor()
  await look(page, 'invitation')
  await type(page, 'adaadaadaada', 'Enter')
  await page.getByText('Password is too easy to guess.').waitFor()
  await page.keyboard.press('Control+A')
  await page.route(`${app.url}/`, (route) => route.fulfill({ body: 'where it goes on' }))
  await type(page, password, 'Tab', 'Tab', 'Enter')
  await page.getByText('where it goes on').waitFor()
  assert.equal(await whoIs(page), 'ada')
  await signIn(app.url, 'ada')
  assert.deepEqual(complaints, [])
})

test('a sign-in that failed shows why, the password can be shown, and the next attempt continues', {
  skip,
}, async (t) => {
  const issuer = ['--public-url=https://tasks.example.org', '--oidc-issuer=http://127.0.0.1:1', '--oidc-client-id=a']
  const { app } = await startWithLogin(t, { flags: [...issuer, '--oidc-name=<b>Sesame</b>'] })
  const { page, complaints } = await openPage(await openBrowser(t), app.url)
  await page.goto(`${app.url}/sign-in`)
  assert.equal(await page.getByRole('link', { name: 'Sign in with <b>Sesame</b>' }).getAttribute('href'), 'auth/oidc')
  await page.goto(`${app.url}/sign-in?return_to=all%3Ftag%3Dhome`)
  assert.match(
    (await page.getByRole('link').getAttribute('href')) ?? '',
    /\/auth\/oidc\?return_to=%2Fall%3Ftag%3Dhome$/,
  )
  await page.goto(`${app.url}/sign-in`)
  await look(page, 'sign-in')
  await type(page, 'Root', 'Tab', 'something else', 'Enter')
  await page.getByRole('alert').getByText('The name or the password is not right.').waitFor()
  await look(page, 'sign-in-wrong')
  await page.keyboard.press('Control+A')
  await type(page, password, 'Tab', 'Space')
  const input = page.getByLabel('Password', { exact: true })
  assert.deepEqual([await input.getAttribute('type'), await input.inputValue()], ['text', password])
  await page.route(`${app.url}/`, (route) => route.fulfill({ body: 'where it goes on' }))
  await type(page, 'Tab', 'Enter')
  await page.getByText('where it goes on').waitFor()
  assert.equal(await whoIs(page), 'root')
  assert.deepEqual(complaints, [])

  await page.goto(`${app.url}/auth/oidc`)
  await page.getByText('You are not signed in').waitFor()
  await look(page, 'refused')
  assert.deepEqual(complaints, [])
})
