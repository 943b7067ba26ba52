import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '#core/problem.ts'
import { type Answer, assertProblem, rawRequest } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/**
 * A server without login accepts programs of its own machine. It refuses requests that a web page of another site can make a browser send,
 * and requests through a proxy.
 */
type Headers = Record<string, string>

/** Sends requests to 127.0.0.1, whatever their headers are. */
function createSender(url: string) {
  const { port } = new URL(url)
  const own = `127.0.0.1:${port}`
  const address = `http://${own}`
  const title = JSON.stringify({ title: 'from outside' })
  const send = (method: string, { Host = own, ...headers }: Headers = {}): Promise<Answer> => {
    const hasBody = method === 'POST'
    const head = {
      Host,
      ...headers,
      ...(hasBody && { 'Content-Type': 'application/json', 'Content-Length': title.length }),
    }
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}`)
    return rawRequest(address, [`${method} /v1/tasks HTTP/1.1`, ...lines], hasBody ? title : '')
  }
  const count = async () => (await send('GET')).body.tasks.length as number
  return { send, count, port, own, address }
}

test('on loopback the Host of a request', async (t) => {
  const { send, port, count, address } = createSender((await startTestApp(t)).url)

  for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]', '127.0.0.2']) {
    await t.test(`may be ${name}, with the port or without`, async () => {
      assert.equal((await send('GET', { Host: `${name}:${port}` })).status, 200)
      assert.equal((await send('GET', { Host: name })).status, 200)
    })
  }

  const invalidCursor = [
    'evil.example',
    'localhost.evil.example',
    'evil.localhost',
    '127.0.0.1.evil.example',
    '127.evil.example',
    'localhost@evil.example',
    '0.0.0.0',
    '192.168.1.5',
    '[::]',
    '[::1].evil.example',
    '2130706433',
    'localhost:80:80',
  ]
  for (const name of invalidCursor) {
    await t.test(`may not be ${name}: a foreign name can be made to resolve to this machine`, async () => {
      for (const host of [name, `${name}:${port}`]) {
        assertProblem(await send('GET', { Host: host }), 403, '--allowed-hosts')
        assertProblem(await send('POST', { Host: host }), 403)
        assertProblem(await send('DELETE', { Host: host }), 403)
      }
    })
  }

  await t.test('must be present', async () => {
    assertProblem(await rawRequest(address, ['GET /v1/tasks HTTP/1.1']), 400, 'Host')
    assertProblem(await rawRequest(address, ['GET /v1/tasks HTTP/1.0']), 403)
    assertProblem(await send('GET', { Host: '' }), 400, 'Host')
  })

  await t.test('must be present once: with two, it is unknown which one a proxy used', async () => {
    for (const [first, second] of [
      ['localhost', 'evil.example'],
      ['evil.example', 'localhost'],
      ['localhost', 'localhost'],
    ]) {
      const head = ['GET /v1/tasks HTTP/1.1', `Host: ${first}`, `hOST: ${second}`]
      assertProblem(await rawRequest(address, head), 400, 'Host')
    }
  })

  await t.test('is checked before routing: an unknown path is 403, too', async () => {
    assertProblem(await rawRequest(address, ['GET /nowhere HTTP/1.1', 'Host: evil.example']), 403)
    assertProblem(await rawRequest(address, ['GET /v1/health HTTP/1.1', 'Host: evil.example']), 403)
  })

  assert.equal(await count(), 0)
})

test('--allowed-hosts adds names', async (t) => {
  const { send, port, count } = createSender(
    (await startTestApp(t, { flags: ['--allowed-hosts=tasks.example, Bell'] })).url,
  )

  await t.test('they may be the Host, in any spelling, besides the own names of this machine', async () => {
    for (const name of ['tasks.example', 'TASKS.example', 'bell', 'localhost'])
      assert.equal((await send('GET', { Host: `${name}:${port}` })).status, 200, name)
  })

  await t.test('other names may not, not even subdomains of them', async () => {
    for (const name of ['evil.example', 'a.tasks.example', 'tasks.example.evil.example', 'example'])
      assertProblem(await send('GET', { Host: `${name}:${port}` }), 403)
  })

  await t.test('their own pages may write', async () => {
    const Host = `tasks.example:${port}`
    assert.equal((await send('POST', { Host, Origin: `http://${Host}` })).status, 200)
    assertProblem(await send('POST', { Host, Origin: `http://localhost:${port}` }), 403)
    assert.equal(await count(), 1)
  })
})

test('a page of another site', async (t) => {
  const { send, count, own, port } = createSender((await startTestApp(t)).url)

  const foreign: Headers[] = [
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    { Origin: '' },
    { Origin: `http://localhost:${port}` }, // another origin than the Host of the request
    { Origin: 'http://127.0.0.1:3000' },
    { Origin: 'http://127.0.0.1' },
    { Origin: `http://${own}.evil.example` },
    { Origin: `http://evil.example/${own}` },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'something new' },
    { Origin: `http://${own}`, 'Sec-Fetch-Site': 'cross-site' },
    { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'same-origin' },
  ]
  for (const headers of foreign) {
    await t.test(`cannot write: ${JSON.stringify(headers)}`, async () => {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
        assertProblem(await send(method, headers), 403, 'another site')
      assert.equal(await count(), 0)
    })
  }

  await t.test('cannot read: no response allows another origin', async () => {
    for (const [headers, status] of [
      [{ Origin: 'https://evil.example' }, 200],
      [{ 'Sec-Fetch-Site': 'cross-site' }, 403],
    ] as const) {
      const answer = await send('GET', headers)
      assert.equal(answer.status, status)
      assert.deepEqual(
        [...answer.headers.keys()].filter((name) => name.startsWith('access-control')),
        [],
      )
    }
  })

  await t.test('is distinguished from own pages and from programs, which may write', async () => {
    const ours: Headers[] = [
      {},
      { Origin: `http://${own}` },
      { Origin: `http://${own}`, 'Sec-Fetch-Site': 'same-origin' },
      { 'Sec-Fetch-Site': 'none' },
      { Host: `LocalHost:${port}`, Origin: `http://localhost:${port}` },
    ]
    for (const headers of ours) assert.equal((await send('POST', headers)).status, 200, JSON.stringify(headers))
    assert.equal(await count(), ours.length)
  })
})

test('on loopback a proxied request is refused: without a login the sender is unknown', async (t) => {
  const { send, count } = createSender((await startTestApp(t)).url)
  const forwarded: Headers[] = [
    { Forwarded: 'for=192.0.2.43' },
    { 'X-Forwarded-For': '192.0.2.43' },
    { 'X-Forwarded-For': '127.0.0.1' },
    { 'X-Forwarded-For': '' },
    { 'X-Forwarded-Host': 'localhost' },
    { 'X-Forwarded-Proto': 'https' },
    { 'X-Real-IP': '192.0.2.43' },
  ]
  for (const headers of forwarded)
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
      const answer = await send(method, headers)
      assert.equal(answer.status, 403, `${method} ${JSON.stringify(headers)}`)
      if (method !== 'HEAD') assertProblem(answer, 403, 'forwarded')
    }
  assert.equal(await count(), 0)
})

test('a server without login', async (t) => {
  for (const host of [
    '0.0.0.0',
    '::',
    '192.168.1.5',
    '10.0.0.1',
    '169.254.1.1',
    '128.0.0.1',
    'tasks.example',
    '127.evil.example',
  ]) {
    await t.test(`does not listen on ${host}, and says how to allow it`, async (t) => {
      const outcome = await startTestApp(t, { flags: [`--host=${host}`] }).catch((error: unknown) => error)
      assert.ok(outcome instanceof Problem, 'did not start')
      assert.equal(outcome.kind, 'forbidden')
      assert.match(outcome.message, new RegExp(`^${RegExp.escape(host)} can be reached from other machines`))
      assert.match(outcome.message, /--allow-anyone-on-network/)
    })
  }

  await t.test('listens on loopback under each of its names', async (t) => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const { url } = await startTestApp(t, { flags: [`--host=${host}`] })
      assert.equal((await fetch(`${url}/v1/health`)).status, 200, host)
    }
  })
})

test('--allow-anyone-on-network', async (t) => {
  const flags = ['--host=0.0.0.0', '--allow-anyone-on-network', '--allowed-hosts=tasks.example']
  const { send, own, count, address, port } = createSender((await startTestApp(t, { flags })).url)

  await t.test(
    'accepts its own names, its address and allowed names, and no other: any name can be made to resolve to it',
    async () => {
      for (const Host of [own, `localhost:${port}`, 'tasks.example', 'Tasks.Example:80'])
        assert.equal((await send('GET', { Host })).status, 200, Host)
      for (const name of ['evil.example', 'tasks.example.evil.example', '192.0.2.1'])
        for (const method of ['GET', 'POST', 'DELETE'])
          assertProblem(await send(method, { Host: `${name}:${port}` }), 403, '--allowed-hosts')
      assert.equal(await count(), 0)
    },
  )

  await t.test('accepts proxied requests', async () => {
    assert.equal((await send('GET', { 'X-Forwarded-For': '192.0.2.43' })).status, 200)
  })

  await t.test('still refuses the pages of other sites, and two Hosts', async () => {
    assertProblem(await send('POST', { Origin: 'https://evil.example' }), 403)
    assertProblem(await send('DELETE', { 'Sec-Fetch-Site': 'cross-site' }), 403)
    assertProblem(await rawRequest(address, ['GET /v1/tasks HTTP/1.1', 'Host: a', 'Host: b']), 400)
    const nameless = ['DELETE /v1/tasks HTTP/1.0', 'Origin: file://'] // neither has a host, and yet they are not the same
    assertProblem(await rawRequest(address, nameless), 403)
    assert.equal(await count(), 0)
  })

  await t.test('lets its own pages write, under each of its names', async () => {
    assert.equal((await send('POST', { Host: 'tasks.example', Origin: 'http://tasks.example' })).status, 200)
    assert.equal(await count(), 1)
  })
})

test('a page of another site cannot even cause a search, since it could measure its duration', async (t) => {
  const { send } = createSender((await startTestApp(t, { flags: ['--cors-origins=https://app.example'] })).url)
  for (const site of ['cross-site', 'same-site']) {
    const from = { 'Sec-Fetch-Site': site }
    assertProblem(await send('GET', { ...from, 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }), 403)
    assertProblem(await send('GET', { ...from, 'Sec-Fetch-Mode': 'cors', Origin: 'https://evil.example' }), 403)
    assertProblem(await send('GET', { ...from, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' }), 403)
    for (const dest of ['frame', 'embed', 'object', 'fencedframe'])
      assertProblem(await send('GET', { ...from, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': dest }), 403)
    assertProblem(await send('GET', { ...from, 'Sec-Fetch-Mode': 'navigate' }), 403)
    assert.equal((await send('HEAD', from)).status, 403)
    const link = { ...from, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }
    assert.equal((await send('GET', link)).status, 200)
    assertProblem(await send('POST', link), 403)
    const allowed = { ...from, 'Sec-Fetch-Mode': 'cors', Origin: 'https://app.example' }
    assert.equal((await send('GET', allowed)).status, 200)
  }
  for (const site of ['same-origin', 'none']) assert.equal((await send('GET', { 'Sec-Fetch-Site': site })).status, 200)
  assertProblem(await send('GET', { 'Sec-Fetch-Site': 'something new' }), 403, 'another site')
})

test('a server with login accepts any name: a foreign one brings no cookie and no token', async (t) => {
  const { send, address } = createSender((await startTestApp(t, { flags: ['--host=0.0.0.0', '--login'] })).url)
  assertProblem(await send('GET', { Host: 'any.example' }), 401)
  assert.equal((await rawRequest(address, ['GET /sign-in HTTP/1.1', 'Host: any.example'])).status, 200)
})
