import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leadHint } from '#core/duration.ts'
import { ConfigError, type ConfigSources, describeConfig, exposedSecrets, parseConfig } from './config.ts'

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
  test('every setting has a default', () => {
    assert.deepEqual(parse(), {
      host: '127.0.0.1',
      port: 8888,
      socket: '',
      tlsCert: '',
      tlsKey: '',
      databaseUrl: 'sqlite:data/duebell.db',
      timeZone: 'Europe/Paris',
      defaultReminders: ['PT15M'],
      defaultDayReminders: ['PT0S'],
      dayTime: '09:00',
      trashDays: 30,
      rateLimit: 6_000,
      publicUrl: '',
      login: false,
      logLevel: 'info',
      logFormat: 'auto',
      allowedHosts: [],
      trustProxy: [],
      corsOrigins: [],
      allowAnyoneOnNetwork: false,
      oidcIssuer: '',
      oidcClientId: '',
      oidcClientSecret: '',
      oidcName: 'single sign-on',
      oidcNewUsers: false,
      heartbeatUrl: '',
      memberHosts: [],
      channels: [],
    })
    assert.ok(Object.isFrozen(parse()))
  })

  test('flags take precedence over the environment, that over the file, that over the defaults', () => {
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
      'DUEBELL_DATABASE_URL_FILE: must be the path of a readable file',
    ])
  })

  test('one error names all faults of all sources, as the user wrote them', () => {
    const faults = faultsOf({
      argv: ['--prot', '9', '--port', 'x', '--log-level=loud', 'stray'],
      env: { DUEBELL_HOTS: '1', DUEBELL_DEFAULT_REMINDERS: 'PT15,P1D', DUEBELL_CONFIG: 'c.json' },
      files: { 'c.json': { chanels: [], timeZone: 'Mars' } },
    })
    assert.deepEqual(faults, [
      '--prot: is not known; did you mean --port?',
      'argument 6: is not a flag; quote a value that has spaces',
      'DUEBELL_HOTS: is not known; did you mean DUEBELL_HOST?',
      'chanels in c.json: is not known; did you mean channels?',
      '--port: must be integer',
      '--log-level: must be one of silent, fatal, error, warn, info, debug, trace',
      'timeZone in c.json: must be a time zone of the IANA database, like Europe/Paris',
      `DUEBELL_DEFAULT_REMINDERS/0: ${leadHint}`,
    ])
  })

  test('variables of other programs are ignored', () => {
    assert.equal(parse({ env: { PATH: '/bin', DUEBEL_PORT: '1' } }).port, 8888)
  })

  test('an unreadable file, or one without a JSON object, is a fault', () => {
    assert.deepEqual(faultsOf({ argv: ['--config', 'gone.json'] }), ['gone.json: cannot be read'])
    assert.deepEqual(faultsOf({ argv: ['--config', 'c.json'], files: { 'c.json': '[]' } }), [
      'c.json: must contain a JSON object',
    ])
    assert.match(faultsOf({ argv: ['--config', 'c.json'], files: { 'c.json': '{' } })[0] ?? '', /^c\.json: is not JSON/)
    assert.deepEqual(faultsOf({ argv: ['--port'] }), ['--port: requires a value'])
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
    assert.match(faults[2] ?? '', /options\/secret: must match/)
    assert.match(faults[3] ?? '', /the name is taken/)
    assert.match(faults[4] ?? '', /the name is taken/)
    assert.ok(!faults.join().includes(secret))
  })

  test('a heartbeat needs an allowed address, which is never repeated', () => {
    const url = 'https://hc-ping.com/7c1f-token'
    assert.equal(parse({ env: { DUEBELL_HEARTBEAT_URL: url } }).heartbeatUrl, url)
    for (const [wrong, why] of [
      ['hc-ping.com/7c1f-token', 'must be an http or https URL'],
      ['ftp://hc-ping.com/7c1f-token', 'must be an http or https URL'],
      ['https://me:7c1f-token@hc-ping.com/', 'must not hold a user name or password'],
      ['http://169.254.169.254/7c1f-token', 'is an address that is never allowed'],
    ] as const)
      assert.deepEqual(faultsOf({ env: { DUEBELL_HEARTBEAT_URL: wrong } }), [`DUEBELL_HEARTBEAT_URL: ${why}`])
  })

  test('memberHosts is a list of host names, addresses and ranges', () => {
    const listed = ['nas.home', 'ntfy', '192.168.1.7', 'fd12::/16']
    assert.deepEqual(parse({ argv: ['--member-hosts', listed.join(', ')] }).memberHosts, listed)
    assert.deepEqual(parse({ env: { DUEBELL_MEMBER_HOSTS: '' } }).memberHosts, [])
    const files = { 'c.json': { memberHosts: ['nas.home', 'http://nas.home', '10.0.0.0/33'] } }
    const why = 'must be a host name, an allowed address, or a range like 192.168.1.0/24'
    assert.deepEqual(faultsOf({ argv: ['--config=c.json'], files }), [
      `memberHosts/1 in c.json: ${why}`,
      `memberHosts/2 in c.json: ${why}`,
    ])
  })

  const signOn = {
    DUEBELL_LOGIN: 'true',
    DUEBELL_OIDC_ISSUER: 'https://id.example.org/realms/home',
    DUEBELL_OIDC_CLIENT_ID: 'duebell',
    DUEBELL_PUBLIC_URL: 'https://tasks.example.org',
  }

  test('a provider for signing in is configured completely, or not at all', () => {
    const { oidcIssuer, oidcClientId, oidcName, oidcNewUsers } = parse({ env: signOn })
    assert.deepEqual(
      [oidcIssuer, oidcClientId, oidcName, oidcNewUsers],
      ['https://id.example.org/realms/home', 'duebell', 'single sign-on', false],
    )
    assert.deepEqual(faultsOf({ argv: ['--oidc-issuer=https://id.example.org'] }), [
      '--oidc-issuer: also requires --oidc-client-id (DUEBELL_OIDC_CLIENT_ID)',
      '--oidc-issuer: also requires --login (DUEBELL_LOGIN)',
      '--oidc-issuer: also requires --public-url (DUEBELL_PUBLIC_URL), to which the provider sends users back',
    ])
    const others = { CLIENT_ID: 'duebell', CLIENT_SECRET: 'hush!', NAME: 'Example', NEW_USERS: 'true' }
    for (const [name, value] of Object.entries(others))
      assert.deepEqual(faultsOf({ env: { [`DUEBELL_OIDC_${name}`]: value } }), [
        `DUEBELL_OIDC_${name}: requires --oidc-issuer (DUEBELL_OIDC_ISSUER)`,
      ])
    assert.equal(parse({ env: { DUEBELL_OIDC_ISSUER: '', DUEBELL_OIDC_CLIENT_SECRET: '' } }).oidcIssuer, '')
  })

  test('a provider requires TLS, unless it is on this machine', () => {
    for (const issuer of ['http://127.0.0.1:8080', 'http://localhost/a', 'http://[::1]:8080/', 'https://10.0.0.7'])
      assert.equal(parse({ env: { ...signOn, DUEBELL_OIDC_ISSUER: issuer } }).oidcIssuer, issuer)
    for (const [issuer, why] of [
      ['http://id.example.org', 'must be an https URL; http is for a provider on this machine only'],
      ['http://localhost.example.org', 'must be an https URL; http is for a provider on this machine only'],
      ['http://10.0.0.7', 'must be an https URL; http is for a provider on this machine only'],
      ['id.example.org', 'must be an http or https URL'],
      ['file:///etc/passwd', 'must be an http or https URL'],
      ['https://me:hush@id.example.org', 'must not hold a user name or password'],
      ['https://169.254.169.254', 'is an address that is never allowed'],
      ['https://id.example.org/?tenant=1', 'must not have a query or a fragment'],
    ] as const)
      assert.deepEqual(faultsOf({ env: { ...signOn, DUEBELL_OIDC_ISSUER: issuer } }), [`DUEBELL_OIDC_ISSUER: ${why}`])
  })

  test('a secret comes from a variable, from the file of a variable, or from the configuration file', () => {
    const secret = 'hush-canary'
    const files = { '/run/secrets/oidc': `${secret}\n`, 'c.json': { oidcClientSecret: secret } }
    for (const sources of [
      { env: { ...signOn, DUEBELL_OIDC_CLIENT_SECRET: secret } },
      { env: { ...signOn, DUEBELL_OIDC_CLIENT_SECRET_FILE: '/run/secrets/oidc' } },
      { env: signOn, argv: ['--config=c.json'] },
    ])
      assert.equal(parse({ ...sources, files }).oidcClientSecret, secret)
  })

  test('a secret is not a flag, and no fault repeats it', () => {
    const secret = 'hush-canary'
    const why =
      '--oidc-client-secret: is not a flag, since every user of this machine can read command lines; set DUEBELL_OIDC_CLIENT_SECRET, or DUEBELL_OIDC_CLIENT_SECRET_FILE to the path of a file that contains it'
    for (const argv of [
      ['--oidc-client-secret', secret],
      [`--oidc-client-secret=${secret}`],
      ['--oidc-client-secret', `--${secret}`],
      ['--oidc-client-secret', '--port', '1'],
      ['--oidc-client-secret', '--port=1'],
      ['--oidc-client-secret'],
    ])
      assert.deepEqual(faultsOf({ argv, env: signOn }), [why], argv.join(' '))
    for (const sources of [
      { env: { DUEBELL_OIDC_CLIENT_SECRET: secret } },
      { env: { ...signOn, DUEBELL_OIDC_CLIENT_SECRET: secret.repeat(200) } },
      { argv: ['--config=c.json'], files: { 'c.json': { oidcClientSecret: [secret] } } },
      { argv: ['--config=c.json'], files: { 'c.json': { oidcClientSecrt: secret } } },
      { argv: ['--config=c.json'], files: { 'c.json': `{"oidcClientSecret": ${secret}}` } },
      { argv: ['--config=c.json'], files: { 'c.json': secret } },
      { argv: ['--oidc-client-secrt', secret] },
    ]) {
      const faults = faultsOf(sources)
      assert.ok(faults.length > 0)
      assert.doesNotMatch(faults.join(), /hush|canary/)
    }
  })

  test('a certificate and its key go together, and not with a socket', () => {
    const config = parse({ argv: ['--tls-cert=c.pem'], env: { DUEBELL_TLS_KEY: 'k.pem' } })
    assert.deepEqual([config.tlsCert, config.tlsKey], ['c.pem', 'k.pem'])
    assert.deepEqual(faultsOf({ argv: ['--tls-cert=c.pem'] }), ['--tls-cert: requires a tlsKey'])
    assert.deepEqual(faultsOf({ env: { DUEBELL_TLS_KEY: 'k.pem' } }), ['DUEBELL_TLS_KEY: requires a tlsCert'])
    assert.deepEqual(faultsOf({ argv: ['--tls-cert=c.pem', '--tls-key=k.pem', '--socket=s'] }), [
      '--tls-cert: cannot be combined with a socket, which replaces host and port: remove one of the two',
    ])
  })

  test('a socket has a path that programs can open', () => {
    const maxPath = `/${'x'.repeat(80)}/${'y'.repeat(21)}` // 103 bytes, which all systems accept
    assert.equal(parse({ argv: [`--socket=${maxPath}`] }).socket, maxPath)
    for (const path of [`${maxPath}/abcde`, `/${'x'.repeat(99)}/s`, `/${'é'.repeat(60)}/duebell.sock`])
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
      'must be an address': [
        'true',
        '1',
        '*',
        'Loopback',
        'uniquelocal',
        'proxy.example',
        '10.0.0',
        '10.0.0.0/8/8',
        '192.0.2.7:80',
        '[::1]',
        'fe80::1%eth0',
        '',
      ],
      'trusts every address': ['0.0.0.0/0', '10.0.0.0/0', '::/0'],
      'must have a valid prefix length': [
        '10.0.0.0/33',
        '10.0.0.0/255.0.0.0',
        '10.0.0.0/08',
        '10.0.0.0/',
        '2001:db8::/129',
      ],
    }
    for (const [words, texts] of Object.entries(wrong))
      for (const text of texts) {
        const faults = faultsOf({ argv: ['--trust-proxy', `::1,${text}`] })
        assert.equal(faults.length, 1, text)
        assert.ok(faults[0]?.startsWith(`--trust-proxy/1: ${words}`), faults.join())
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
    for (const wrong of [
      'https://app.example.org/',
      'https://app.example.org/path?x#y',
      'https://App.Example.org',
      'https://app.example.org:443',
      'https://me@app.example.org',
      'https://bücher.example',
    ])
      assert.match(
        faultsOf({ argv: ['--cors-origins', wrong] }).join(),
        /^--cors-origins\/0: must be an origin as/,
        wrong,
      )
    for (const wrong of ['*', 'https://*', 'https://*.example.org', 'null', 'app.example.org', 'file:///x', ''])
      assert.deepEqual(faultsOf({ argv: ['--cors-origins', `http://localhost,${wrong}`] }), [
        '--cors-origins/1: must be an origin, like https://app.example.org',
      ])
  })

  test('the help names every flag with its variable', () => {
    const help = describeConfig()
    assert.match(help, /^ {2}DUEBELL_OIDC_CLIENT_SECRET, DUEBELL_OIDC_CLIENT_SECRET_FILE$/m)
    assert.doesNotMatch(help, /--oidc-client-secret/)
    for (const name of Object.keys(parse())) {
      if (name === 'channels' || name === 'oidcClientSecret') continue // has no one-line form; is a secret
      const flag = `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}, DUEBELL_`
      assert.ok(help.includes(flag), flag)
    }
  })

  test('a flag that shows a secret to every user of the machine causes a warning with the alternative', () => {
    const warning = (flag: string, variable: string) =>
      `${flag} contains a secret, and every user of this machine can read command lines: set ${variable} instead, or ${variable}_FILE to the path of a file that contains it.`
    const ofDatabase = warning('--database-url', 'DUEBELL_DATABASE_URL')
    const ofHeartbeat = warning('--heartbeat-url', 'DUEBELL_HEARTBEAT_URL')
    assert.deepEqual(
      exposedSecrets(['--database-url=mysql://me:hush@db/x', '--heartbeat-url', 'https://hc-ping.com/7c1f']),
      [ofDatabase, ofHeartbeat],
    )
    assert.deepEqual(exposedSecrets(['--heartbeat-url=http://127.0.0.1?t=1', '--port=1']), [ofHeartbeat])
    for (const harmless of ['postgres://me@db/x', 'sqlite:data/duebell.db'])
      assert.deepEqual(exposedSecrets(['--database-url', harmless, '--heartbeat-url=https://hc.example.org']), [])
  })
})

test('a public URL is the root of a host: the server serves no base path, and each link would be dead', () => {
  for (const url of ['https://example.org/tasks', 'https://example.org/?a=1', 'https://example.org/#a'])
    assert.deepEqual(faultsOf({ argv: ['--public-url', url] }), [
      '--public-url: must not have a path, a query or a fragment: the server answers at the root of a host only. Give it a host name of its own, like https://tasks.example.org',
    ])
  assert.deepEqual(faultsOf({ argv: ['--public-url', 'https://me:pw@example.org'] }), [
    '--public-url: must not hold a user name or password',
  ])
  for (const url of ['https://example.org', 'http://example.org:8080/'])
    assert.equal(parse({ argv: ['--public-url', url] }).publicUrl, url)
})

test('an allowed host is a name or an address that a Host header can have: any other would match no request', () => {
  const allowed = [
    'tasks.example.org',
    'Bell',
    'my_box',
    '192.0.2.7',
    '2001:db8::7',
    '[2001:DB8::7]',
    'xn--bcher-kva.example',
  ]
  assert.deepEqual(parse({ argv: ['--allowed-hosts', allowed.join()] }).allowedHosts, allowed)
  const why = 'must be a host name or an address, without a scheme, a port, a path or a *'
  for (const host of [
    'https://tasks.example',
    'tasks.example:8888',
    'tasks.example/',
    '*.example.org',
    '*',
    'a b',
    '[::1',
  ])
    assert.deepEqual(faultsOf({ argv: ['--allowed-hosts', host] }), [`--allowed-hosts/0: ${why}`], host)
  for (const [host, sent] of [
    ['bücher.example', 'xn--bcher-kva.example'],
    ['127.1', '127.0.0.1'],
  ])
    assert.deepEqual(faultsOf({ argv: [`--allowed-hosts=${host}`] }), [
      `--allowed-hosts/0: must be as browsers send it: ${sent}`,
    ])
})

test('a provider sends users back over https, or on the machine itself: browsers keep no session over http', () => {
  const env = {
    DUEBELL_LOGIN: 'true',
    DUEBELL_OIDC_ISSUER: 'https://id.example.org',
    DUEBELL_OIDC_CLIENT_ID: 'duebell',
  }
  for (const url of ['https://tasks.example.org', 'http://localhost:8888'])
    assert.equal(parse({ env: { ...env, DUEBELL_PUBLIC_URL: url } }).publicUrl, url)
  assert.deepEqual(faultsOf({ env: { ...env, DUEBELL_PUBLIC_URL: 'http://tasks.example.org' } }), [
    'DUEBELL_OIDC_ISSUER: requires an https public URL, since browsers keep no session over http; http is for a server on this machine only',
  ])
})
