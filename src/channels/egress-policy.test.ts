import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { Problem } from '#core/problem.ts'
import {
  anywhere,
  createLookup,
  type EgressPolicy,
  formatBlockReason,
  isListable,
  publicOrListed,
} from './egress-policy.ts'
import { parseTarget } from './http-client.ts'
import { checkHost } from './socket.ts'

/** The policy of a machine without networks. */
const within = (...listed: string[]) => publicOrListed(listed, () => ({}))

test('administrators reach every address except the metadata services of clouds', () => {
  for (const address of ['127.0.0.1', '10.0.0.1', '192.168.1.1', '93.184.216.34', '::1', 'fd12::1', '2a00:1450::1'])
    assert.equal(anywhere.blockReason(address), undefined, address)
  for (const address of [
    '169.254.169.254',
    '100.100.100.200',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    'fe80::1%eth0',
  ])
    assert.equal(anywhere.blockReason(address), 'never', address)
})

test('members reach public addresses', () => {
  const egress = within()
  for (const address of ['93.184.216.34', '2a00:1450::1', '::ffff:93.184.216.34'])
    assert.equal(egress.blockReason(address), undefined, address)
  for (const address of ['127.0.0.1', '10.0.0.1', '::1', 'fd12::1', '::ffff:10.0.0.1', '64:ff9b::10.0.0.1'])
    assert.equal(egress.blockReason(address, 'nas.home'), 'private', address)
  assert.equal(egress.blockReason('169.254.169.254'), 'never')
})

test('members reach listed hosts: a name at every address, an address by every name', () => {
  const egress = within(
    'NAS.home.',
    'bücher.example',
    '192.168.1.7',
    '10.1.0.0/16',
    'fd12::/16',
    '::1',
    '::ffff:10.2.0.1',
  )
  for (const [address, name, blockReason] of [
    ['192.168.1.8', 'nas.home', undefined],
    ['::1', 'Nas.Home.', undefined],
    ['10.0.0.1', 'xn--bcher-kva.example', undefined],
    ['10.0.0.1', 'other.home', 'private'],
    ['10.0.0.1', 'nas.home.evil.example', 'private'],
    ['10.0.0.1', 'evil.nas.home', 'private'],
    ['192.168.1.8', undefined, 'private'],
    ['192.168.1.7', undefined, undefined],
    ['192.168.1.7', 'other.home', undefined],
    ['::ffff:192.168.1.7', undefined, undefined],
    ['64:ff9b::192.168.1.7', undefined, undefined],
    ['10.1.255.255', undefined, undefined],
    ['10.2.0.0', undefined, 'private'],
    ['10.2.0.1', undefined, undefined],
    ['fd12:ffff::1', undefined, undefined],
    ['fd13::1', undefined, 'private'],
    ['::1', undefined, undefined],
    ['127.0.0.1', undefined, 'private'],
  ] as const)
    assert.equal(egress.blockReason(address, name), blockReason, `${address} by ${name}`)
})

test('no entry allows an address that is never allowed', () => {
  const egress = within('metadata.google.internal', '0.0.0.0/0', '::/0')
  for (const address of [
    '169.254.169.254',
    '100.100.100.200',
    '::ffff:169.254.169.254',
    'fe80::1',
    'fd00:ec2::254',
    '0.0.0.0',
  ])
    assert.equal(egress.blockReason(address, 'metadata.google.internal'), 'never', address)
  assert.equal(egress.blockReason('10.0.0.1'), undefined)
  assert.equal(within('::/0').blockReason('10.0.0.1'), 'private', 'an IPv6 range holds no IPv4')
  assert.equal(within('::/0').blockReason('::ffff:10.0.0.1'), 'private')
})

test('a public address of an attached network counts as private: the server is already behind its router', () => {
  const at = (cidr: string) => ({ cidr }) as NetworkInterfaceInfo
  let interfaces = {
    lo: [at('127.0.0.1/8')],
    eth0: [at('2003:a:b:c::2/64'), at('93.184.216.34/28')],
    tun0: [at('5.6.7.8/0')],
  }
  const egress = publicOrListed(['2003:a:b:c::7'], () => interfaces)
  for (const address of [
    '2003:a:b:c::1',
    '2003:a:b:c:ffff::',
    '93.184.216.34',
    '93.184.216.33',
    '::ffff:93.184.216.33',
  ])
    assert.equal(egress.blockReason(address), 'private', address)
  for (const address of ['2003:a:b:d::1', '93.184.216.48', '5.6.7.9', '2003:a:b:c::7'])
    assert.equal(egress.blockReason(address), undefined, address)
  assert.equal(anywhere.blockReason('2003:a:b:c::1'), undefined)
  // A provider changes the prefix over night.
  interfaces = { lo: [], eth0: [at('2003:a:b:d::2/64')], tun0: [] }
  assert.equal(egress.blockReason('2003:a:b:d::1'), 'private')
})

test('an entry is a host name, an address or a range, in its usual spelling', () => {
  for (const text of [
    ...['nas', 'nas.home', 'NAS.Home.', 'my_nas', 'bücher.example', 'xn--bcher-kva.example', '7zip.example'],
    ...['10.0.0.1', '127.0.0.1', '::1', 'fd12::1', '::ffff:10.0.0.1', '93.184.216.34'],
    ...['10.0.0.0/8', '10.0.0.1/8', '0.0.0.0/0', '10.0.0.1/32', 'fd00::/8', '::/0', '::1/128'],
  ])
    assert.equal(isListable(text), true, text)
  for (const text of [
    ...[
      '',
      ' ',
      '.',
      'a..b',
      '*.home',
      'nas:8080',
      'http://nas',
      'nas/',
      'nas/8',
      'me@nas',
      'a b',
      'nas?',
      '%6eas',
      'x'.repeat(64),
    ],
    ...[
      '127.1',
      '0x7f.1',
      '0177.0.0.1',
      '2130706433',
      '1.2.3.4.5',
      '10.0.0.256',
      '[::1]',
      'fe80::1%eth0',
      'fd12::1%eth0',
    ],
    ...[
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '10.0.0.0/255.0.0.0',
      'fd00::/129',
      '::ffff:10.0.0.0/104',
    ],
    ...['169.254.169.254', 'fe80::1', '0.0.0.0'],
  ])
    assert.equal(isListable(text), false, text)
})

const spellings = [
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0X7F.0x0.0x0.0x1',
    '0177.0.0.1',
    '017700000001',
  ],
  ...['127.0.0.1.', '127。0。0。1', '１２７.0.0.1', '%31%32%37.0.0.1', '[::1]', '[0:0:0:0:0:0:0:1]', '[::127.0.0.1]'],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:FFFF:7F00:0001]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]'],
  ...[
    '10.0.0.1',
    '192.168.0.1',
    '0xc0a80001',
    '3232235521',
    '[::ffff:c0a8:1]',
    '172.31.255.255',
    '[fd12::1]',
    '255.255.255.254',
  ],
]

test('an address is refused in every spelling, as a host and in a URL, and the error names the member', () => {
  const refused = (refuse: (egress: EgressPolicy) => void, text: string) =>
    assert.throws(
      () => refuse(within()),
      (error) =>
        error instanceof Problem &&
        error.kind === 'invalid' &&
        /^url is an address of a private network, which only/.test(error.message) &&
        JSON.stringify(error.extras.faults?.map(({ at }) => at)) === '[{"pointer":"/url"}]',
      text,
    )
  for (const host of spellings) {
    refused((egress) => parseTarget(`http://${host}:8080/x`, '/url', egress), host)
    refused((egress) => parseTarget(`https://${host}`, '/url', egress), host)
    refused((egress) => checkHost(host.replace(/^\[|\]$/g, ''), '/url', egress), host)
    parseTarget(`http://${host}/`, '/url', anywhere)
    checkHost(host.replace(/^\[|\]$/g, ''), '/url', anywhere)
  }
  parseTarget('http://nas.home/', '/url', within())
  checkHost('nas.home', '/url', within())
})

test('a name is checked at each look-up, and the error has the reason', async () => {
  // An address resolves to itself, like a name that points to it.
  const look = (egress: EgressPolicy, name: string, all = false) =>
    new Promise((resolve) =>
      createLookup(egress)(name, { all }, (error, address) => resolve(error ? formatBlockReason(error.code) : address)),
    )
  const isPrivate =
    'its name leads to an address of a private network, which only channels of administrators may reach, unless memberHosts lists it'
  const isNever = 'its name leads to an address that is never allowed'
  assert.equal(await look(within(), '127.0.0.1'), isPrivate)
  assert.equal(await look(within(), 'localhost', true), isPrivate)
  assert.equal(await look(within('localhost'), '127.0.0.1'), isPrivate)
  assert.equal(await look(within('127.0.0.1'), '127.0.0.1'), '127.0.0.1')
  assert.deepEqual(await look(within('127.0.0.1'), '127.0.0.1', true), [{ address: '127.0.0.1', family: 4 }])
  assert.equal(await look(within(), '169.254.169.254'), isNever)
  assert.equal(await look(anywhere, '169.254.169.254'), isNever)
  assert.equal(await look(anywhere, '127.0.0.1'), '127.0.0.1')
  assert.equal(formatBlockReason('ENOTFOUND'), undefined)
})
