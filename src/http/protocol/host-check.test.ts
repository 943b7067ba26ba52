import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHostCheck } from './host-check.ts'

const accepts = createHostCheck(['Tasks.example.org', '192.0.2.7', '2001:db8::7'])

test('a server without login answers on loopback, on allowed hosts, and on the address of the connection', () => {
  for (const host of ['localhost', 'LOCALHOST:8888', '127.0.0.1:8888', '127.0.0.2', '[::1]:8888', '[0:0:0:0:0:0:0:1]'])
    assert.equal(accepts(host, '127.0.0.1'), true, host)
  for (const host of ['tasks.example.org', 'tasks.EXAMPLE.org:443', '192.0.2.7', '[2001:DB8:0::7]:8888'])
    assert.equal(accepts(host, '127.0.0.1'), true, host)
  for (const [host, local] of [
    ['192.168.1.5:8888', '192.168.1.5'],
    ['192.168.1.5', '::ffff:192.168.1.5'],
    ['[FE80:0::1]:8888', 'fe80::1%eth0'],
    ['[::ffff:127.0.0.1]:8888', '::ffff:127.0.0.1'],
    ['[0:0:0:0:0:FFFF:7f00:1]', '::1'],
    ['[::ffff:c0a8:105]', '192.168.1.5'],
  ] as const)
    assert.equal(accepts(host, local), true, host)
})

test('a foreign name or address is rejected, wherever it resolves to', () => {
  for (const host of [
    undefined,
    '',
    'evil.example',
    'evil.example:8888',
    'localhost.evil.example',
    'localhost.',
    '8.8.8.8',
    '[::ffff:8.8.8.8]',
    '[::2]',
    '127.0.0.1.evil.example',
  ])
    assert.equal(accepts(host, '192.168.1.5'), false, String(host))
  assert.equal(accepts('192.168.1.5', undefined), false)
})
