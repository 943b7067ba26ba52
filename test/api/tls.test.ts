import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { Problem } from '#core/problem.ts'
import { readCertificate } from '#http/listen/certificate.ts'
import { createServer, type ServerDeps } from '#http/server.ts'
import { eventually } from '#kit/eventually.ts'
import { assertProblem, connectTo, rawRequest } from '#kit/http-requests.ts'
import { renewed, selfSigned } from '#kit/self-signed.ts'
import { spawnServer } from '#kit/server-process.ts'
import { temporaryFolder } from '#support/databases.ts'
import { startTestApp } from '#support/test-app.ts'

/** HTTPS with the user's own certificate. */
function writeFiles(t: TestContext, { cert, key } = selfSigned) {
  const folder = temporaryFolder(t)
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key)
  return { folder, files, flags: [`--tls-cert=${files.cert}`, `--tls-key=${files.key}`] }
}

/** A connection after its handshake. */
async function shakeHands(t: TestContext, url: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ca: [selfSigned.cert, renewed.cert], ...options })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

test('with a certificate', async (t) => {
  const { url, app, lines } = await startTestApp(t, writeFiles(t))
  const host = `Host: ${new URL(url).host}`

  await t.test('the server is reached by https, and prints its URL', async () => {
    assert.match(url, /^https:\/\/127\.0\.0\.1:\d+$/)
    assert.equal(app.url, url)
    assert.ok(
      lines.some((line) => line.includes(` is listening on ${url}, `)),
      lines.join(''),
    )
    const answer = await rawRequest(url, ['GET /v1/tasks HTTP/1.1', host])
    assert.deepEqual([answer.status, answer.body.tasks], [200, []])
  })

  await t.test('it speaks TLS 1.2 and 1.3, and HTTP/1.1', async (t) => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await shakeHands(t, url, { maxVersion: version, ALPNProtocols: ['h2', 'http/1.1'] })
      assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, 'http/1.1'])
    }
    const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }
    await assert.rejects(shakeHands(t, url, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
  })

  await t.test('browsers must use https only, except for a host name that all programs share', async () => {
    const head = (path: string, name: string) => rawRequest(url, [`GET ${path} HTTP/1.1`, `Host: ${name}`])
    const asked = async (path: string, name: string) =>
      (await head(path, name)).headers.get('strict-transport-security')
    for (const path of ['/v1/tasks', '/nowhere', '/docs', '/%E0%A4%A'])
      assert.equal(await asked(path, '127.0.0.1'), 'max-age=31536000', path)
    assert.equal(await asked('/v1/tasks', `localhost:${new URL(url).port}`), null)
  })

  await t.test('a client that sends plain HTTP, or garbage, is disconnected without a response', async (t) => {
    for (const text of [
      `GET / HTTP/1.1\r\n${host}\r\n\r\n`,
      'nonsense\r\n\r\n',
      '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00',
    ]) {
      const socket = connectPlain(Number(new URL(url).port), '127.0.0.1')
      t.after(() => socket.destroy())
      let received = ''
      socket.setEncoding('latin1').on('data', (chunk) => {
        received += chunk
      })
      socket.on('error', () => {}) // it may be reset
      const closed = once(socket, 'close')
      socket.write(text, 'latin1')
      await closed
      assert.doesNotMatch(received, /HTTP/)
    }
  })

  await t.test('an invalid request gets the same response as without TLS', async () => {
    assertProblem(await rawRequest(url, ['nonsense']), 400)
    assertProblem(await rawRequest(url, ['GET / HTTP/1.1', host, `X-Long: ${'x'.repeat(20_000)}`]), 431)
    assertProblem(await rawRequest(url, ['GET / HTTP/1.1']), 400, 'Host')
    assertProblem(await rawRequest(url, ['GET / HTTP/1.1', 'Host: evil.example']), 403)
    assert.equal((await rawRequest(url, ['GET /livez HTTP/1.1', host, 'Expect: a wonder'])).status, 200)
  })

  await t.test('own pages may write, and those of the same name without TLS may not', async () => {
    const post = (origin: string) =>
      rawRequest(url, ['DELETE /v1/tasks HTTP/1.1', host, `Origin: ${origin}`, 'Sec-Fetch-Site: same-origin'])
    assert.equal((await post(url)).status, 200)
    assertProblem(await post(url.replace('https:', 'http:')), 403, 'another site')
  })

  await t.test('events are followed over it', async (t) => {
    const socket = connectTo(url)
    t.after(() => socket.destroy())
    let received = ''
    socket.setEncoding('utf8').on('data', (text) => {
      received += text
    })
    socket.write(`GET /v1/events HTTP/1.1\r\n${host}\r\n\r\n`)
    await eventually('the stream has begun', () => received.includes('retry: '))
    assert.match(received, /^strict-transport-security: /im)
  })
})

test('every limit of the server holds with TLS as without', async (t) => {
  const lists = { allowedHosts: [], trustProxy: [], corsOrigins: [] }
  const parts: Partial<ServerDeps> = {
    log: pino({ level: 'silent' }),
    ctx: {} as never,
    provider: null,
    isLocalOnly: true,
    isSocket: false,
    ...lists,
  }
  const limitsOf = (more: Partial<ServerDeps>) => {
    const { server } = createServer({ ...parts, ...more } as ServerDeps)
    const { requestTimeout, headersTimeout, keepAliveTimeout, timeout } = server
    // Not in the types, and yet the member that Node uses.
    const { connectionsCheckingInterval, requireHostHeader } = server as object as Record<string, unknown>
    const listeners = ['checkExpectation', 'clientError', 'request'].map((name) => server.listenerCount(name))
    const timeouts = { requestTimeout, headersTimeout, keepAliveTimeout, timeout, connectionsCheckingInterval }
    return {
      isTls: 'setSecureContext' in server,
      limits: { ...timeouts, requireHostHeader, listeners },
    }
  }
  const plain = limitsOf({})
  const secure = limitsOf({ certificate: await readCertificate(writeFiles(t).files) })
  assert.deepEqual([plain.isTls, secure.isTls], [false, true])
  assert.deepEqual(secure.limits, plain.limits)
  assert.deepEqual(plain.limits, {
    requestTimeout: 30_000,
    headersTimeout: 15_000,
    keepAliveTimeout: 130_000,
    timeout: 0,
    connectionsCheckingInterval: 5_000,
    requireHostHeader: false,
    listeners: [1, 1, 2], // the second one counts connections
  })
})

test('a renewed certificate', async (t) => {
  const { files, flags } = writeFiles(t)
  const { url, clock, lines } = await startTestApp(t, { flags })
  const presented = async () => {
    const socket = await shakeHands(t, url)
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }
  const before = await presented()
  const logged = (words: string) => lines.filter((line) => line.includes(words))
  /** Files are read beside the clock: a minute may pass while a check is still in flight. */
  const minutesUntil = (what: string, isSo: () => boolean | Promise<boolean>) =>
    eventually(what, async () => {
      await clock.advance(60_000)
      return isSo()
    })

  await t.test('is loaded within a minute, and open connections stay', async (t) => {
    const socket = await shakeHands(t, url)
    writeFileSync(files.cert, renewed.cert)
    writeFileSync(files.key, renewed.key)
    assert.equal(await presented(), before)
    await minutesUntil('it is presented', async () => (await presented()) !== before)
    assert.equal(
      logged(`INFO: The certificate in ${files.cert} is in use, valid until Oct 31 19:38:20 2126 GMT`).length,
      1,
    )
    socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
    assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200 /)
  })

  await t.test('that is invalid is logged once, and the previous one stays', async () => {
    const current = await presented()
    const broken: [words: string, cert: string, key: string][] = [
      [`The key in ${files.key} does not match the certificate in ${files.cert}.`, selfSigned.cert, renewed.key],
      [`${files.cert} is not a PEM certificate: see --tls-cert.`, 'half of a cert', renewed.key],
      [`${files.key} is not a PEM private key`, selfSigned.cert, 'half of a key'],
    ]
    for (const [words, cert, key] of broken) {
      writeFileSync(files.cert, cert)
      writeFileSync(files.key, key)
      await minutesUntil(words, () => logged(words).length > 0)
      await clock.advance(60_000)
      assert.equal(await presented(), current)
    }
    writeFileSync(files.cert, selfSigned.cert)
    writeFileSync(files.key, selfSigned.key)
    await minutesUntil('it is mended', async () => (await presented()) === before)
    for (const [words] of broken) assert.equal(logged(words).length, 1, words)
    assert.equal(logged('ERROR').length, broken.length)
    assert.ok(!lines.join('').includes('half of'), 'what is in the files is not told')
  })

  await t.test('with the time of the old one is noticed as well', async () => {
    const { atime, mtime } = statSync(files.cert)
    writeFileSync(files.cert, renewed.cert)
    writeFileSync(files.key, renewed.key)
    for (const file of [files.cert, files.key]) utimesSync(file, atime, mtime)
    await minutesUntil('it is presented', async () => (await presented()) !== before)
  })
})

test('an invalid certificate prevents the start, with a sentence that contains nothing of its content', async (t) => {
  const { folder, files } = writeFiles(t)
  const other = writeFiles(t, renewed).files
  const none = join(folder, 'none.pem')
  const empty = join(folder, 'empty.pem')
  const encrypted = join(folder, 'sealed.pem')
  const underPassphrase = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hush' } as const
  mkdirSync(join(folder, 'folder'))
  writeFileSync(empty, '')
  writeFileSync(encrypted, createPrivateKey(selfSigned.key).export(underPassphrase))
  const cases: [cert: string, key: string, words: RegExp][] = [
    [none, files.key, /none\.pem cannot be read \(no such file\): see --tls-cert\.$/],
    [files.cert, none, /none\.pem cannot be read \(no such file\): see --tls-key\.$/],
    [join(folder, 'folder'), files.key, /folder cannot be read \(it is a folder\): see --tls-cert\.$/],
    [empty, files.key, /empty\.pem is not a PEM certificate: see --tls-cert\.$/],
    [files.key, files.cert, /key\.pem is not a PEM certificate: see --tls-cert\.$/],
    [files.cert, files.cert, /cert\.pem is not a PEM private key, or has a passphrase: see --tls-key\.$/],
    [files.cert, encrypted, /sealed\.pem is not a PEM private key, or has a passphrase: see --tls-key\.$/],
    [files.cert, other.key, /^The key in .* does not match the certificate in .*\.$/],
  ]
  for (const [cert, key, words] of cases) {
    const outcome = await startTestApp(t, { flags: [`--tls-cert=${cert}`, `--tls-key=${key}`] }).catch((error) => error)
    assert.ok(outcome instanceof Problem, `${words}: did not start`)
    assert.match(outcome.message, words)
    assert.doesNotMatch(outcome.message, /BEGIN|PRIVATE KEY-|MII|OpenSSL|error:/)
  }
})

test('the real server', async (t) => {
  const { files, flags } = writeFiles(t)
  const database = ['--database-url', `sqlite:${temporaryFolder(t)}/duebell.db`]

  await t.test('ends with code 2 and one sentence if its certificate is invalid', async (t) => {
    const { ended, output } = spawnServer(t, [...database, `--tls-cert=${files.key}`, `--tls-key=${files.key}`])
    assert.equal((await ended).code, 2)
    assert.deepEqual(
      [output.stdout, output.stderr],
      ['', `duebell: ${files.key} is not a PEM certificate: see --tls-cert.\n`],
    )
  })

  await t.test('serves https, and stops on request, even if a client does not finish its handshake', async (t) => {
    const server = spawnServer(t, [...database, ...flags])
    const url = await server.ready
    assert.match(url, /^https:/)
    assert.equal((await rawRequest(url, ['GET /livez HTTP/1.1', 'Host: localhost'])).status, 200)
    await shakeHands(t, url) // and never sends a request
    const silent = connectPlain(Number(new URL(url).port), '127.0.0.1')
    t.after(() => silent.destroy())
    await once(silent, 'connect')
    server.child.kill('SIGTERM')
    assert.deepEqual([(await server.ended).code, server.output.stderr], [0, ''])
  })
})
