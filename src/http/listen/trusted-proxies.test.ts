import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTrust, proxyFault } from './trusted-proxies.ts'

test('without entries no proxy is trusted', () => {
  assert.equal(createTrust([]), undefined)
})

test('addresses and ranges are trusted, in any notation', () => {
  const texts = ['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', 'fe80::/10', '::ffff:198.51.100.7']
  assert.deepEqual(
    texts.map(proxyFault),
    texts.map(() => undefined),
  )
  const trusts = createTrust(texts) ?? assert.fail()
  for (const address of [
    '192.0.2.7',
    '::ffff:192.0.2.7',
    '::ffff:c000:207',
    '10.255.0.1',
    '2001:db8:ffff::1',
    '2001:0DB8:0:0::1',
    'fe80::1%eth0',
    '198.51.100.7',
  ])
    assert.ok(trusts(address), address)
  for (const address of [
    '192.0.2.8',
    '11.0.0.1',
    '2001:db9::1',
    '::a00:1',
    '127.0.0.1',
    '::1',
    '',
    'unknown',
    '10.0.0.1:80',
    undefined,
  ])
    assert.ok(!trusts(address), String(address))
})

test('loopback is this machine, by any address or a Unix socket', () => {
  const trusts = createTrust(['loopback']) ?? assert.fail()
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', undefined])
    assert.ok(trusts(address), String(address))
  for (const address of ['128.0.0.1', '::2', '0.0.0.0', '192.168.1.5']) assert.ok(!trusts(address), address)
})
