import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { chromium } from 'playwright-core'
import { answers, startHttpReceiver } from '#kit/http-receiver.ts'
import { startTestApp } from '#support/test-app.ts'

/** Pages of other sites in a real browser, against a server without login that other machines reach. */
const browser = '/usr/bin/chromium'
const skip = existsSync(browser) ? false : `no browser at ${browser}`
if (skip && process.env.CI === 'true') throw new Error(`${skip}, and CI is to have one`)

/** Every DNS name resolves to this machine, as DNS rebinding makes a foreign name do once its page is loaded. */
async function openBrowser(t: TestContext) {
  const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  const args = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--host-resolver-rules=MAP *.example 127.0.0.1',
    ...quiet,
  ]
  const chrome = await chromium.launch({ executablePath: browser, args })
  t.after(() => chrome.close())
  const page = await chrome.newPage()
  page.setDefaultTimeout(60_000)
  return page
}

async function startTarget(t: TestContext, port = 0) {
  const { client, url } = await startTestApp(t, {
    flags: ['--host=0.0.0.0', `--port=${port}`, '--allow-anyone-on-network'],
  })
  const task = await client.createTask({ title: 'Renew passport' })
  /** The number of reads of the list with this result. A browser hides the response from a page, and so from a test as well. */
  async function countReads(status: '2xx' | '4xx') {
    const text = await (await fetch(`http://127.0.0.1:${new URL(url).port}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith('duebell_http_request_duration_seconds_count{'))
    const found = lines.find((line) => ['"/v1/tasks"', '"GET"', `"${status}"`].every((label) => line.includes(label)))
    return Number(found?.split(' ').at(-1) ?? 0)
  }
  return { client, task, countReads, tasks: `http://127.0.0.1:${new URL(url).port}/v1/tasks` }
}

/** The server of another site, with one page. */
async function startOther(t: TestContext) {
  const page = '<!doctype html><link rel="icon" href="data:,">'
  const { url, stop } = await startHttpReceiver(t, answers(200, page, { 'content-type': 'text/html' }))
  return { port: Number(new URL(url).port), stop }
}

test('a page of a rebound name can read, create and delete nothing', { skip }, async (t) => {
  const other = await startOther(t)
  const page = await openBrowser(t)
  await page.goto(`http://evil.example:${other.port}/`)
  await other.stop()
  const { client, task } = await startTarget(t, other.port)
  const answers = await page.evaluate<{ status: number; text: string }[]>(`(async () => {
    const headers = { 'content-type': 'application/json' }
    const lies = { 'x-forwarded-host': 'localhost', 'x-forwarded-proto': 'http' }
    const body = JSON.stringify({ title: 'of a stranger' })
    const tried = [{}, { headers: lies }, { method: 'POST', headers, body }, { method: 'DELETE' }, { method: 'DELETE', headers: lies }]
    return Promise.all(tried.map(async (one) => {
      const response = await fetch('/v1/tasks', one)
      return { status: response.status, text: await response.text() }
    }))
  })()`)
  assert.equal(answers.length, 5)
  for (const { status, text } of answers) {
    assert.equal(status, 403)
    assert.match(text, /«evil\.example»[^"]*--allowed-hosts/)
    assert.doesNotMatch(text, /passport/)
  }
  const { tasks } = await client.listTasks()
  assert.deepEqual(
    tasks.map(({ id }) => id),
    [task.id],
  )
})

test('a page of another site cannot cause a search, by a frame, an image, a script or a fetch', {
  skip,
}, async (t) => {
  const { tasks, countReads } = await startTarget(t)
  const page = await openBrowser(t)
  const { port } = await startOther(t)
  let refused = 0
  // One page of another site, and one of the same site: browsers compare sites by host, and not by port.
  for (const host of ['localhost', '127.0.0.1']) {
    await page.goto(`http://${host}:${port}/`)
    await page.evaluate(`(async () => {
      const url = ${JSON.stringify(tasks)} + '?q=passport'
      const tried = ['iframe', 'img', 'script'].map((name) => new Promise((done) => {
        const element = document.createElement(name)
        element.onload = element.onerror = done
        element.src = url
        document.body.append(element)
      }))
      await Promise.all([...tried, fetch(url, { mode: 'no-cors' }).catch(() => {}), fetch(url).catch(() => {})])
    })()`)
    const before = refused
    refused = await countReads('4xx')
    assert.ok(refused >= before + 5, `each of them was refused: ${refused - before}`)
  }
  assert.equal(await countReads('2xx'), 0)

  await t.test('a person may follow its link', async () => {
    await page.evaluate(`document.body.innerHTML = '<a href="${tasks}?q=passport">Tasks</a>'`)
    const [response] = await Promise.all([page.waitForResponse((one) => one.url().startsWith(tasks)), page.click('a')])
    assert.equal(response.status(), 200)
  })
})
