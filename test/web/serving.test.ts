import assert from 'node:assert/strict'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { password, startWithLogin } from '#support/accounts.ts'
import { openWebPage, skip, startWebApp } from './kit.ts'

/** How the server delivers the app. */

const html = { accept: 'text/html,*/*;q=0.8' }

test('the page may load only this server, and its files are compressed and never asked for again', async (t) => {
  const { url } = await startWebApp(t)
  const page = await fetch(url, { headers: html })
  assert.equal(page.headers.get('cache-control'), 'no-cache')
  assert.match(
    page.headers.get('content-security-policy') ?? '',
    /^default-src 'none'; script-src 'self'; style-src 'self'; /,
  )
  assert.match(
    page.headers.get('content-security-policy') ?? '',
    /require-trusted-types-for 'script'; trusted-types duebell;/,
  )
  const [, script = ''] = /src="\.\/(assets\/[\w.-]+\.js)"/.exec(await page.text()) ?? []
  const sizes: number[] = []
  for (const encoding of ['br', 'gzip', 'identity', 'br;q=0, gzip']) {
    const response = await fetch(`${url}/${script}`, { headers: { 'accept-encoding': encoding } })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable')
    assert.equal(response.headers.get('vary'), 'accept-encoding')
    const expected = { br: 'br', gzip: 'gzip', identity: null, 'br;q=0, gzip': 'gzip' }[encoding]
    assert.equal(response.headers.get('content-encoding'), expected)
    sizes.push((await response.arrayBuffer()).byteLength)
  }
  assert.ok(
    sizes.every((size) => size === sizes[0]),
    'all forms are the same script',
  )
  for (const path of ['assets/..%2Findex.html', 'assets/missing.js', 'assets/index.html'])
    assert.equal((await fetch(`${url}/${path}`)).status, 404, path)
})

test('a screen has the page at any depth; an unknown page too, with 404; the API stays JSON', async (t) => {
  const { url } = await startWebApp(t)
  const get = async (path: string, headers: Record<string, string> = html) => {
    const response = await fetch(url + path, { headers })
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
  }
  assert.match((await get('/tasks/42')).text, /src="\.\.\/assets\//)
  const missing = await get('/some/where/else')
  assert.deepEqual([missing.status, missing.type], [404, 'text/html; charset=utf-8'])
  assert.match(missing.text, /src="\.\.\/\.\.\/assets\//)
  assert.match((await get('/v1/nothing')).type ?? '', /^application\/problem\+json/)
  assert.match((await get('/nothing', { accept: '*/*' })).type ?? '', /^application\/problem\+json/)
})

test('without a session it leads to sign-in, and back', { skip }, async (t) => {
  const { app } = await startWithLogin(t)
  const plain = await fetch(`${app.url}/all?tag=home`, { headers: html, redirect: 'manual' })
  assert.deepEqual([plain.status, plain.headers.get('location')], [302, './sign-in?return_to=all%3Ftag%3Dhome'])
  const web = await openWebPage(t, app)
  await web.goTo('tasks/7?x=1')
  assert.equal(web.page.url(), `${app.url}/sign-in?return_to=tasks%2F7%3Fx%3D1`)
  await web.page.keyboard.type('root')
  await web.page.getByLabel('Password', { exact: true }).fill(password)
  await web.page.keyboard.press('Enter')
  await web.page.waitForURL(`${app.url}/tasks/7?x=1`)
  await web.page.getByText('There is no task 7').waitFor()
  // The session ends elsewhere: the app notices it at its next start.
  await web.page.evaluate("fetch('../v1/session', { method: 'DELETE' })")
  await web.context.addCookies([{ name: 'duebell', value: 'dbs_expired', url: app.url }])
  await web.page.goto(`${app.url}/all`)
  await web.page.waitForURL(/sign-in\?return_to=all$/)
  for (const foreign of ['https://evil.example/', '//evil.example/', 'javascript:alert(1)']) {
    await web.goTo(`sign-in?return_to=${encodeURIComponent(foreign)}`)
    await web.page.getByLabel('Name or e-mail').fill('root')
    await web.page.getByLabel('Password', { exact: true }).fill(password)
    await web.page.keyboard.press('Enter')
    await web.page.waitForURL(`${app.url}/`)
  }
})

/** A proxy that puts the app below `/bell/`. */
async function startProxy(t: TestContext, url: string): Promise<string> {
  const proxy = createServer((request, response) => {
    if (!request.url?.startsWith('/bell/')) return response.writeHead(404).end()
    const { method, headers } = request
    const onward = httpRequest(url + request.url.slice('/bell'.length), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
    return
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/bell`
}

test('it works below a path of a proxy', { skip }, async (t) => {
  const app = await startWebApp(t)
  const task = await app.client.createTask({ title: 'Move the car', expiry_dt: '2026-11-23T13:48+01:00' })
  const web = await openWebPage(t, app, { url: await startProxy(t, app.url) })
  await web.goTo('')
  await web.page.locator('.row', { hasText: 'Move the car' }).getByRole('link').click()
  await web.page.waitForURL(/\/bell\/tasks\/\d+$/)
  await web.page.reload()
  await web.page.getByRole('textbox', { name: 'Title' }).waitFor()
  await web.page.getByRole('link', { name: 'Expiring', exact: false }).first().click()
  await web.page.getByRole('button', { name: 'Complete: Move the car' }).click()
  await web.page.getByText('Completed “').waitFor()
  assert.notEqual((await app.client.getTask(task.id)).completed_dt, null)
  assert.deepEqual(web.complaints, [])
})
