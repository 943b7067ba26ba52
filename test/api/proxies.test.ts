import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { pino } from 'pino'
import { listen } from '#http/listen/listen.ts'
import { createServer, type ServerDeps } from '#http/server.ts'
import { assertProblem, rawRequest } from '#kit/http-requests.ts'
import { temporaryFolder } from '#support/databases.ts'
import { startTestApp } from '#support/test-app.ts'

/** The forwarded headers of trusted proxies are used, and those of others are not. */
type Lines = readonly string[]

/** A server with one more route, which returns the origin that the server assumes for a request. */
async function startMirror(t: TestContext, trustProxy: string[], place: { host?: string; socket?: string } = {}) {
  const parts: Partial<ServerDeps> = {
    log: pino({ level: 'silent' }),
    isLocalOnly: false,
    isOpen: false,
    ctx: {} as never,
    authenticator: {
      authenticate: (_: unknown, __: unknown, done: () => void) => done(),
      isTrusted: () => false,
    } as never,
    provider: null,
    isSocket: place.socket !== undefined,
    allowedHosts: [],
    corsOrigins: [],
    trustProxy,
    metrics: { answered() {}, refused() {}, text: async () => '' },
    onRequest() {},
    changeStream: { stop() {} } as never,
  }
  const server = createServer(parts as ServerDeps)
  server.get('/who', { schema: { hide: true, scope: 'none' } }, ({ ip, protocol, host }) => ({ ip, protocol, host }))
  t.after(() => server.close())
  const url = await listen(server, { host: '127.0.0.1', port: 0, socket: '', ...place }, () => '')
  return (...lines: Lines) => rawRequest(url, ['GET /who HTTP/1.1', 'Host: own.example', ...lines])
}

const lies = ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: tasks.example']

test('without --trust-proxy no forwarded header is used', async (t) => {
  const ask = await startMirror(t, [])
  const { body } = await ask(...lies, 'Forwarded: for=192.0.2.1;proto=https', 'X-Real-IP: 192.0.2.1')
  assert.deepEqual(body, { ip: '127.0.0.1', protocol: 'http', host: 'own.example' })
})

test('forwarded headers of a caller that is not trusted are ignored', async (t) => {
  const ask = await startMirror(t, ['192.0.2.0/24', '::1'])
  assert.deepEqual((await ask(...lies)).body, { ip: '127.0.0.1', protocol: 'http', host: 'own.example' })
})

test('a trusted proxy', async (t) => {
  const ask = await startMirror(t, ['loopback', '10.0.0.0/8', '2001:db8::/32'])

  await t.test('says who sent the request, under what name, and how', async () => {
    assert.deepEqual((await ask(...lies)).body, { ip: '192.0.2.1', protocol: 'https', host: 'tasks.example' })
    assert.deepEqual((await ask()).body, { ip: '127.0.0.1', protocol: 'http', host: 'own.example' })
  })

  await t.test(
    'is trusted as far back as the chain consists of trusted proxies: the caller wrote the rest',
    async () => {
      for (const [chain, ip] of [
        ['192.0.2.66, 203.0.113.9', '203.0.113.9'],
        ['127.0.0.1, 203.0.113.9', '203.0.113.9'],
        ['10.0.0.1, 203.0.113.9', '203.0.113.9'],
        ['203.0.113.9, 10.1.2.3', '203.0.113.9'],
        ['192.0.2.66, 203.0.113.9, 10.1.2.3, 127.0.0.1', '203.0.113.9'],
        ['192.0.2.66, 2001:db9::7, 2001:db8::1', '2001:db9::7'],
        ['192.0.2.66, 203.0.113.9, ::ffff:10.1.2.3', '203.0.113.9'],
        ['anything, 203.0.113.9', '203.0.113.9'],
        ['203.0.113.9,', '203.0.113.9'],
      ] as const)
        assert.equal((await ask(`X-Forwarded-For: ${chain}`)).body.ip, ip, chain)
      const twice = await ask('X-Forwarded-For: 192.0.2.66', 'X-Forwarded-For: 203.0.113.9')
      assert.equal(twice.body.ip, '203.0.113.9')
    },
  )

  await t.test('says the last of several names and schemes', async () => {
    const { body } = await ask('X-Forwarded-Host: evil.example, tasks.example', 'X-Forwarded-Proto: https, http')
    assert.deepEqual([body.host, body.protocol], ['tasks.example', 'http'])
  })

  await t.test('is trusted for X-Forwarded-For, -Host and -Proto only', async () => {
    const { body } = await ask('Forwarded: for=192.0.2.1;proto=https;host=a.example', 'X-Real-IP: 192.0.2.1')
    assert.deepEqual(body, { ip: '127.0.0.1', protocol: 'http', host: 'own.example' })
  })
})

test('a proxy on this machine may use a Unix socket: that is loopback, too', async (t) => {
  for (const [trusted, ip] of [
    [['loopback'], '203.0.113.9'],
    [['10.0.0.0/8'], undefined],
    [[], undefined],
  ] as const) {
    const ask = await startMirror(t, [...trusted], { socket: `${temporaryFolder(t)}/s` })
    assert.equal((await ask('X-Forwarded-For: 192.0.2.66, 203.0.113.9')).body.ip, ip, trusted.join())
  }
})

test('behind a trusted proxy', async (t) => {
  const flags = ['--allow-anyone-on-network', '--allowed-hosts=inner,tasks.example', '--trust-proxy=loopback']
  const { url } = await startTestApp(t, { flags })
  const post = (...lines: Lines) =>
    rawRequest(
      url,
      ['POST /v1/tasks HTTP/1.1', 'Host: inner:8888', 'Content-Type: application/json', 'Content-Length: 13', ...lines],
      '{"title":"x"}',
    )
  const forwarded = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Host: tasks.example', 'X-Forwarded-Proto: https']

  await t.test('own pages are those of the name and the scheme by which they were opened', async () => {
    for (const origin of ['https://tasks.example', 'https://tasks.example:443'])
      assert.equal((await post(...forwarded, `Origin: ${origin}`)).status, 200, origin)
  })

  await t.test(
    'all others are of other sites, including that of its inner name, and the same without TLS',
    async () => {
      for (const origin of [
        'http://tasks.example',
        'https://tasks.example:8443',
        'https://inner:8888',
        'http://inner:8888',
        'https://evil.example',
        'null',
      ])
        assertProblem(await post(...forwarded, `Origin: ${origin}`), 403, 'another site')
    },
  )

  await t.test('an impossible value is refused', async () => {
    for (const chain of ['unknown', '203.0.113.9:4711', '_hidden', '<script>', '203.0.113.999'])
      assertProblem(await post(`X-Forwarded-For: ${chain}`), 400, 'X-Forwarded-For')
    for (const proto of ['javascript', 'HTTPS', 'ftp', 'https, gopher'])
      assertProblem(await post(`X-Forwarded-Proto: ${proto}`), 400, 'X-Forwarded-Proto')
  })

  await t.test('an invalid name makes no page an own one', async () => {
    const lines = ['X-Forwarded-Host: a b', 'X-Forwarded-Proto: https', 'Origin: https://a']
    assertProblem(await post(...lines), 403)
  })

  await t.test('without a forwarded scheme, the scheme of the page is not compared', async () => {
    for (const scheme of ['http', 'https'])
      assert.equal((await post('X-Forwarded-Host: tasks.example', `Origin: ${scheme}://tasks.example`)).status, 200)
  })
})

test('a proxy that is not trusted does not decide which pages are own ones', async (t) => {
  const { url } = await startTestApp(t, {
    flags: ['--allow-anyone-on-network', '--allowed-hosts=inner,tasks.example', '--trust-proxy=192.0.2.7'],
  })
  const lines = ['DELETE /v1/tasks HTTP/1.1', 'Host: inner:8888', 'X-Forwarded-Host: tasks.example']
  assertProblem(await rawRequest(url, [...lines, 'Origin: https://tasks.example']), 403, 'another site')
})

test('without login a foreign name is refused through every proxy, whether it replaces the Host, is trusted, or neither', async (t) => {
  for (const trusted of ['loopback', '192.0.2.7']) {
    const flags = ['--allow-anyone-on-network', '--allowed-hosts=inner,tasks.example', `--trust-proxy=${trusted}`]
    const { url, client } = await startTestApp(t, { flags })
    for (const [host, name] of [
      ['inner', 'evil.example'],
      ['127.0.0.1', 'EVIL.example:8888'],
      ['inner', 'evil.example, tasks.example'],
      ['inner', 'tasks.example, evil.example'],
      ['inner', ''],
      ['evil.example', 'tasks.example'], // a page of a rebound name can add this header, but not choose its Host
    ])
      for (const method of ['GET', 'DELETE']) {
        const head = [`${method} /v1/tasks HTTP/1.1`, `Host: ${host}`, `X-Forwarded-Host: ${name}`]
        assertProblem(await rawRequest(url, head), 403, '--allowed-hosts')
        assertProblem(await rawRequest(url, [...head, 'Origin: http://evil.example']), 403, '--allowed-hosts')
      }
    const good = ['GET /v1/tasks HTTP/1.1', 'Host: inner', 'X-Forwarded-Host: tasks.example, 127.0.0.1:80']
    assert.equal((await rawRequest(url, good)).status, 200)
    assert.equal((await client.listTasks()).tasks.length, 0)
  }
})

test('a server without login on loopback refuses what was forwarded, however many proxies are trusted', async (t) => {
  const { url } = await startTestApp(t, { flags: ['--trust-proxy=loopback'] })
  for (const line of [...lies, 'Forwarded: for=192.0.2.43', 'X-Forwarded-For: 127.0.0.1'])
    assertProblem(await rawRequest(url, ['GET /v1/tasks HTTP/1.1', 'Host: localhost', line]), 403, 'forwarded')
  assert.equal((await rawRequest(url, ['GET /v1/tasks HTTP/1.1', 'Host: localhost'])).status, 200)
})
