import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { problemTexts } from '#http/pages/problem-texts.ts'
import { problemReference } from '#http/pages/problems.ts'
import { problemTypes } from '#http/protocol/problem.ts'
import { assertProblem, wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** The documentation that the server serves: the OpenAPI document, the API reference, and a page for each kind of problem. */
const root = new URL('../../', import.meta.url)
const kinds = Object.keys(problemTypes) as (keyof typeof problemTypes)[]

test('/openapi.json', async (t) => {
  const { url } = await startTestApp(t)
  const send = wireTo(url)
  const text = readFileSync(new URL('openapi.json', root), 'utf8')

  await t.test('is the committed file', async () => {
    const answer = await send('GET', '/openapi.json')
    assert.equal(answer.text, text)
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.equal(answer.headers.get('cache-control'), 'no-cache')
  })

  await t.test('is not sent again to a client that has it', async () => {
    const etag = (await send('GET', '/openapi.json')).headers.get('etag') ?? assert.fail('has no ETag')
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await send('GET', '/openapi.json', { headers: { 'if-none-match': known } })
      assert.deepEqual([again.status, again.text, again.headers.get('etag')], [304, '', etag], known)
    }
    const other = await send('GET', '/openapi.json', { headers: { 'if-none-match': '"other"' } })
    assert.deepEqual([other.status, other.text.length], [200, text.length])
    assert.equal((await send('HEAD', '/openapi.json')).status, 200)
    // A comma may stand in an ETag (RFC 9110 section 8.8.3), so this is one other ETag and not ours.
    const withComma = await send('GET', '/openapi.json', { headers: { 'if-none-match': `"a,${etag.slice(1)}` } })
    assert.equal(withComma.status, 200)
    const malformed = await send('GET', '/openapi.json', { headers: { 'if-none-match': etag.slice(1) } })
    assert.deepEqual([malformed.status, malformed.body?.type], [400, '/problems/malformed'])
  })
})

test('/docs', async (t) => {
  const { url } = await startTestApp(t)
  const send = wireTo(url)

  await t.test('may load its own files, and nothing else', async () => {
    const { headers, text } = await send('GET', '/docs')
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    const policy = headers.get('content-security-policy') ?? ''
    assert.match(policy, /^default-src 'none'; script-src 'self'; /)
    assert.match(policy, /connect-src 'self'; .*base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/)
    assert.doesNotMatch(policy, /unsafe-eval|https?:|\*/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
    assert.doesNotMatch(text, /https?:\/\//)
  })

  await t.test('has the script of the recorded version, compressed for clients that accept it', async () => {
    const { sha256 } = JSON.parse(readFileSync(new URL('src/http/docs/scalar.json', root), 'utf8'))
    const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    assert.equal(hash(gunzipSync(readFileSync(new URL('src/http/docs/scalar.js.gz', root)))), sha256)
    for (const [accepted, encoding] of [
      ['gzip, br', 'gzip'],
      ['identity', null],
      ['gzip;q=0', null],
    ] as const) {
      const response = await fetch(`${url}/docs/scalar.js`, { headers: { 'accept-encoding': accepted } })
      assert.equal(response.headers.get('content-encoding'), encoding, accepted)
      assert.equal(response.headers.get('vary'), 'accept-encoding')
      assert.equal(response.headers.get('content-type'), 'text/javascript; charset=utf-8')
      assert.equal(hash(await response.bytes()), sha256, accepted)
    }
  })

  const browser = '/usr/bin/chromium'
  await t.test(
    'shows every operation in a browser, contacts no other server, and sends a request',
    { skip: existsSync(browser) ? false : `there is no ${browser}` },
    async (t) => {
      const chrome = await chromium.launch({ executablePath: browser, args: ['--no-sandbox'] })
      t.after(() => chrome.close())
      const page = await chrome.newPage({ viewport: { width: 1400, height: 900 } })
      page.setDefaultTimeout(120_000) // four megabytes of script, on a machine that may be busy
      const asked: string[] = []
      const complaints: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
      })
      await page.goto(`${url}/docs#tag/tasks/POST/v1/tasks`)
      await page.getByRole('heading', { name: 'Create a task' }).waitFor()
      // A page of this server may write: the request passes the check of its origin.
      await page.getByRole('button', { name: 'Test Request (post /v1/tasks)' }).click()
      const sent = page.waitForResponse((response) => response.request().method() === 'POST')
      await page.getByRole('button', { name: /Send post request/ }).click()
      const response = await sent
      assert.deepEqual([response.status(), new URL(response.url()).pathname], [200, '/v1/tasks'])
      // A sample request has no header of the examples: some would change the response, others make it fail.
      const { prefer, 'idempotency-key': key, 'if-match': version } = response.request().headers()
      assert.deepEqual([prefer, key, version], [undefined, undefined, undefined])
      await page.goto(`${url}/docs#tag/channels/webhook/POST/reminder`)
      await page.reload()
      await page.getByRole('heading', { name: 'Receive a reminder that has fired' }).waitFor()
      await page.getByText('webhook-signature').first().waitFor()
      const elsewhere = asked.filter((one) => !one.startsWith(url) && !/^(?:data|blob):/.test(one))
      assert.deepEqual(elsewhere, [])
      assert.deepEqual(complaints, [], 'the policy forbids nothing that the page needs')
    },
  )
})

test('/problems', async (t) => {
  const { url, client } = await startTestApp(t)
  const send = wireTo(url)
  const readable = { headers: { accept: 'application/json' } }

  await t.test('has a page for every kind, and a kind for every page', async () => {
    assert.deepEqual(Object.keys(problemTexts), kinds)
    for (const kind of kinds) {
      const { slug, title, status } = problemTypes[kind]
      assert.equal(slug, kind)
      const page = await send('GET', `/problems/${slug}`)
      assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
      assert.ok(page.text.includes(`<h1>${title}</h1>`) && page.text.includes(`HTTP status ${status}`))
      const problem = await send('GET', `/problems/${slug}`, readable)
      assert.deepEqual(problem.body, JSON.parse(JSON.stringify(problemReference(kind))))
    }
    const list = (await send('GET', '/problems')).text
    const listed = [...list.matchAll(/href="\/problems\/([a-z-]+)"/g)].map(([, slug]) => slug)
    assert.deepEqual(listed, kinds)
    assertProblem(await send('GET', '/problems/none'), 404, 'malformed')
    assertProblem(await send('GET', '/problems/toString'), 404)
  })

  await t.test('runs no script, loads nothing, and allows its one style sheet by its hash', async () => {
    for (const path of ['/problems', '/problems/stale']) {
      const { headers, text } = await send('GET', path)
      const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? []
      const hash = createHash('sha256').update(style).digest('base64')
      assert.equal(
        headers.get('content-security-policy'),
        `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      )
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
      // The empty icon keeps the browser from loading /favicon.ico.
      assert.doesNotMatch(
        text.replace('<link rel="icon" href="data:,">', ''),
        /<script|<link|<img|style="|\son[a-z]+="/,
      )
      assert.match(style, /color-scheme: light dark/)
    }
  })

  await t.test('shows real responses of the server', async () => {
    await client.createTask({ title: 'x' })
    // Kinds that no single request can produce: they need a server in trouble, a week, or a mebibyte.
    const unprovoked = kinds.filter((kind) => !problemTexts[kind].example.request)
    assert.deepEqual(unprovoked, ['gone', 'too-large', 'rate-limited', 'internal', 'unavailable'])
    for (const kind of kinds) {
      const { request, problem } = problemReference(kind).example
      if (!request) continue
      const { method, path, ...sending } = request
      const answer = await send(method, path, sending)
      const { request_id: _, current: __, ...actual } = answer.body
      const { request_id: ___, ...shown } = problem
      assert.deepEqual(actual, shown, kind)
    }
  })
})
