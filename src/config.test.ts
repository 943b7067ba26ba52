import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError, type ConfigSources, describeConfig, parseConfig } from './config.ts'

function parse({
  argv = [],
  env = {},
  files = {},
  zone = 'Europe/Paris',
}: {
  argv?: string[]
  env?: ConfigSources['env']
  files?: Record<string, unknown>
  zone?: string
} = {}) {
  return parseConfig({
    argv,
    env,
    systemTimeZone: zone,
    readFile(path) {
      if (!(path in files)) throw new Error('no such file')
      const content = files[path]
      return typeof content === 'string' ? content : JSON.stringify(content)
    },
  })
}

function faultsOf(sources: Parameters<typeof parse>[0]): readonly string[] {
  try {
    parse(sources)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.faults
  }
  assert.fail('it was accepted')
}

describe('configuration', () => {
  test('nothing has to be said', () => {
    assert.deepEqual(parse(), {
      host: '127.0.0.1',
      port: 8888,
      socket: '',
      tlsCert: '',
      tlsKey: '',
      databaseUrl: 'sqlite:data/duebell.db',
      timeZone: 'Europe/Paris',
      defaultReminders: ['PT15M'],
      trashDays: 30,
      publicUrl: '',
      logLevel: 'info',
      logFormat: 'auto',
      allowedHosts: [],
      trustProxy: [],
      corsOrigins: [],
      allowAnyoneOnNetwork: false,
      heartbeatUrl: '',
      channels: [],
    })
    assert.ok(Object.isFrozen(parse()))
  })

  test('flags go over the environment, that over the file, that over the defaults', () => {
    const files = { 'duebell.json': { port: 1, host: '::1', logLevel: 'warn' } }
    const config = parse({
      argv: ['--port', '3', '--config=duebell.json'],
      env: { DUEBELL_PORT: '2', DUEBELL_HOST: '127.0.0.2' },
      files,
    })
    assert.deepEqual([config.port, config.host, config.logLevel], [3, '127.0.0.2', 'warn'])
    assert.equal(parse({ env: { DUEBELL_CONFIG: 'duebell.json' }, files }).port, 1)
  })

  test('default reminders are a list with commas; empty means never', () => {
    assert.deepEqual(parse({ env: { DUEBELL_DEFAULT_REMINDERS: 'P1D, PT15M' } }).defaultReminders, ['P1D', 'PT15M'])
    assert.deepEqual(parse({ env: { DUEBELL_DEFAULT_REMINDERS: '' } }).defaultReminders, [])
  })

  test('a variable with _FILE reads the value from a file', () => {
    const files = { '/run/secrets/url': 'sqlite:/var/lib/duebell.db\n' }
    assert.equal(
      parse({ env: { DUEBELL_DATABASE_URL_FILE: '/run/secrets/url' }, files }).databaseUrl,
      'sqlite:/var/lib/duebell.db',
    )
    assert.deepEqual(faultsOf({ env: { DUEBELL_DATABASE_URL_FILE: '/nowhere' } }), [
      'DUEBELL_DATABASE_URL_FILE: the file /nowhere cannot be read',
    ])
  })

  test('all faults of all sources are told at once, each under the name it was given by', () => {
    const faults = faultsOf({
      argv: ['--prot', '9', '--port', 'x', '--log-level=loud', 'stray'],
      env: { DUEBELL_HOTS: '1', DUEBELL_DEFAULT_REMINDERS: 'PT15,P1D', DUEBELL_CONFIG: 'c.json' },
      files: { 'c.json': { chanels: [], timeZone: 'Mars' } },
    })
    assert.deepEqual(faults, [
      '--prot: is not known; did you mean --port?',
      'stray: is not a flag',
      'DUEBELL_HOTS: is not known; did you mean DUEBELL_HOST?',
      'chanels in c.json: is not known; did you mean channels?',
      '--port: must be integer',
      '--log-level: must be one of silent, fatal, error, warn, info, debug, trace',
      'timeZone in c.json: «Mars» is not a time zone of the IANA database, like Europe/Paris',
      'DUEBELL_DEFAULT_REMINDERS: «PT15» is not an ISO 8601 duration of at most ten years, like PT15M or P1D',
    ])
  })

  test('variables of others are none of our business', () => {
    assert.equal(parse({ env: { PATH: '/bin', DUEBEL_PORT: '1' } }).port, 8888)
  })

  test('a file that cannot be read, or is not an object of JSON, is said so', () => {
    assert.deepEqual(faultsOf({ argv: ['--config', 'gone.json'] }), ['gone.json: cannot be read'])
    assert.deepEqual(faultsOf({ argv: ['--config', 'c.json'], files: { 'c.json': '[]' } }), [
      'c.json: must hold a JSON object',
    ])
    assert.match(faultsOf({ argv: ['--config', 'c.json'], files: { 'c.json': '{' } })[0] ?? '', /^c\.json: is not JSON/)
    assert.deepEqual(faultsOf({ argv: ['--port'] }), ['--port: needs a value'])
  })

  test('channels are checked against the options of their kind, and a secret is never repeated', () => {
    const secret = 'whsec_hush!'
    const faults = faultsOf({
      argv: ['--config=c.json'],
      files: {
        'c.json': {
          channels: [
            { name: 'a', kind: 'webhok' },
            { name: 'b', kind: 'webhook', options: { url: 'http://127.0.0.1/', secret, secrt: 1 } },
            { name: 'b', kind: 'webhook', options: { url: 'http://127.0.0.1/', secret: `whsec_${'A'.repeat(32)}` } },
            { name: 'console', kind: 'console' },
          ],
        },
      },
    })
    assert.equal(faults.length, 5)
    assert.match(faults[0] ?? '', /kind «webhok»: is not known; did you mean webhook\?/)
    assert.match(faults[1] ?? '', /secrt: is not known; did you mean secret\?/)
    assert.match(faults[2] ?? '', /options\/secret: must look like/)
    assert.match(faults[3] ?? '', /the name is taken/)
    assert.match(faults[4] ?? '', /the name is taken/)
    assert.ok(!faults.join().includes(secret))
  })

  test('a heartbeat goes to an address that may be spoken to, which is never repeated', () => {
    const url = 'https://hc-ping.com/7c1f-token'
    assert.equal(parse({ env: { DUEBELL_HEARTBEAT_URL: url } }).heartbeatUrl, url)
    for (const [wrong, why] of [
      ['hc-ping.com/7c1f-token', 'must be an http or https URL'],
      ['ftp://hc-ping.com/7c1f-token', 'must be an http or https URL'],
      ['https://me:7c1f-token@hc-ping.com/', 'must not hold a user name or password'],
      ['http://169.254.169.254/7c1f-token', 'is an address that is never spoken to'],
    ] as const)
      assert.deepEqual(faultsOf({ env: { DUEBELL_HEARTBEAT_URL: wrong } }), [`DUEBELL_HEARTBEAT_URL: ${why}`])
  })

  test('a certificate and its key go together, and not with a socket', () => {
    const config = parse({ argv: ['--tls-cert=c.pem'], env: { DUEBELL_TLS_KEY: 'k.pem' } })
    assert.deepEqual([config.tlsCert, config.tlsKey], ['c.pem', 'k.pem'])
    assert.deepEqual(faultsOf({ argv: ['--tls-cert=c.pem'] }), ['--tls-cert: is of no use without a tlsKey'])
    assert.deepEqual(faultsOf({ env: { DUEBELL_TLS_KEY: 'k.pem' } }), [
      'DUEBELL_TLS_KEY: is of no use without a tlsCert',
    ])
    assert.deepEqual(faultsOf({ argv: ['--tls-cert=c.pem', '--tls-key=k.pem', '--socket=s'] }), [
      '--tls-cert: is of no use with a socket, which takes the place of host and port: leave out one of the two',
    ])
  })

  test('a socket has a path that programs can name', () => {
    const longest = `/${'x'.repeat(80)}/${'y'.repeat(21)}` // 103 bytes, which all systems take
    assert.equal(parse({ argv: [`--socket=${longest}`] }).socket, longest)
    for (const path of [`${longest}/abcde`, `/${'x'.repeat(99)}/s`, `/${'é'.repeat(60)}/duebell.sock`])
      assert.match(
        faultsOf({ argv: ['--socket', path] }).join(),
        /^--socket: is too long: a socket's path has at most \d+/,
      )
    const files = { 'c.json': { socket: '\0duebell' } }
    assert.deepEqual(faultsOf({ argv: ['--config=c.json'], files }), ['socket in c.json: must be a path'])
  })

  test('trusted proxies are addresses, ranges and the word loopback', () => {
    const list = ['loopback', '10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1', '0.0.0.0/1']
    assert.deepEqual(parse({ argv: ['--trust-proxy', list.join(', ')] }).trustProxy, list)
    const wrong = {
      'is neither': [
        'true',
        '1',
        '*',
        'Loopback',
        'uniquelocal',
        'proxy.example',
        '10.0.0',
        '10.0.0.0/8/8',
        '192.0.2.7:80',
      ],
      'is neither an address': ['[::1]', 'fe80::1%eth0', ''],
      'is everybody': ['0.0.0.0/0', '10.0.0.0/0', '::/0'],
      'has no length': ['10.0.0.0/33', '10.0.0.0/255.0.0.0', '10.0.0.0/08', '10.0.0.0/', '2001:db8::/129'],
    }
    for (const [words, texts] of Object.entries(wrong))
      for (const text of texts) {
        const faults = faultsOf({ argv: ['--trust-proxy', `::1,${text}`] })
        assert.equal(faults.length, 1, text)
        assert.ok(faults[0]?.startsWith(`--trust-proxy: «${text}» ${words}`), faults.join())
      }
  })

  test('origins are written as browsers write them, one by one', () => {
    const list = [
      'https://app.example.org',
      'http://localhost:5173',
      'http://[::1]:8080',
      'https://xn--bcher-kva.example',
    ]
    assert.deepEqual(parse({ argv: ['--cors-origins', list.join()] }).corsOrigins, list)
    for (const [wrong, right] of [
      ['https://app.example.org/', 'https://app.example.org'],
      ['https://app.example.org/path?x#y', 'https://app.example.org'],
      ['https://App.Example.org', 'https://app.example.org'],
      ['https://app.example.org:443', 'https://app.example.org'],
      ['https://me@app.example.org', 'https://app.example.org'],
      ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ])
      assert.deepEqual(faultsOf({ argv: ['--cors-origins', wrong as string] }), [
        `--cors-origins: «${wrong}» is not an origin as browsers write it: did you mean ${right}?`,
      ])
    for (const wrong of ['*', 'https://*', 'https://*.example.org', 'null', 'app.example.org', 'file:///x', ''])
      assert.deepEqual(faultsOf({ argv: ['--cors-origins', `http://localhost,${wrong}`] }), [
        `--cors-origins: «${wrong}» is not an origin, like https://app.example.org`,
      ])
  })

  test('the help names every flag with its variable', () => {
    const help = describeConfig()
    for (const name of Object.keys(parse())) {
      if (name === 'channels') continue // has no one-line form
      const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}, DUEBELL_`
      assert.ok(help.includes(flag), flag)
    }
  })
})
