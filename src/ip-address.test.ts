import assert from 'node:assert/strict'
import { BlockList, isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { isInRanges, isLoopback, parseAddress, parseRange } from './ip-address.ts'

const parse = (text: string) => parseAddress(text)?.toString()

test('an address has one form, in whatever notation, without its zone', () => {
  for (const [text, expected] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%br-lan.2', 'fe80::1'],
    ['2001:DB8:0:0::7', '2001:db8::7'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['2002:c000:201::', '2002:c000:201::'],
  ] as const)
    assert.equal(parse(text), expected, text)
})

test('notations that ipaddr.js reads and Node does not are no addresses', () => {
  for (const text of [
    ...['0177.0.0.1', '0x7f.0.0.1', '0x7f000001', '127.1', '127.0.1', '2130706433', '017700000001', '01.2.3.4'],
    ...['::ffff:0177.0.0.1', '::ffff:0x7f.0.0.1', '::ffff:127.1', '1.2.3.4%eth0', '1.2.3.4/8', ' 1.2.3.4', '[::1]', ''],
  ])
    assert.equal(parse(text), undefined, text)
})

test('the deprecated ::127.0.0.1 is ::7f00:1, and not the IPv4-mapped address', () => {
  assert.equal(parse('::127.0.0.1'), '::7f00:1')
  assert.equal(parse('::169.254.169.254'), parse('::a9fe:a9fe'))
})

test('every notation that Node reads is read like a URL reads it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      if (isIP(text) === 0) return assert.equal(parse(text), undefined)
      const host = new URL(`http://${text.includes(':') ? `[${text}]` : text}/`).hostname.replace(/^\[|\]$/g, '')
      const address = parseAddress(text) ?? assert.fail(text)
      if (host.startsWith('::ffff:')) assert.equal(address.kind(), 'ipv4')
      else assert.equal(address.toString(), host)
    }),
  )
})

test('a range is an address and a prefix length, without leading zeros or zone', () => {
  for (const [text, expected] of [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.0.0.1', '10.0.0.1/32'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:10.0.0.1', '10.0.0.1/32'],
  ] as const)
    assert.equal(parseRange(text)?.join('/'), expected, text)
  for (const text of [
    ...['10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8', '10.0.0.0/255.0.0.0', '10/8', '/8'],
    ...['::/129', '::/1000', 'fe80::1%eth0', 'fe80::%eth0/10', '::ffff:10.0.0.0/95', '010.0.0.0/8', 'nas/8'],
  ])
    assert.equal(parseRange(text), undefined, text)
})

test('an address is in a range where a BlockList of Node holds it', () => {
  const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 16, maxLength: 16 })
  const v4 = (bytes: readonly number[]) => bytes.slice(0, 4).join('.')
  const v6 = (bytes: readonly number[]) =>
    Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16)).join(':')
  fc.assert(
    fc.property(bytes, fc.integer({ min: 0, max: 127 }), fc.integer({ min: 0, max: 128 }), (of, flipped, length) => {
      const other = of.with(flipped >> 3, (of[flipped >> 3] as number) ^ (128 >> (flipped & 7)))
      for (const [write, family, max] of [
        [v4, 'ipv4', 32],
        [v6, 'ipv6', 128],
      ] as const) {
        const bits = Math.min(length, max)
        const list = new BlockList()
        list.addSubnet(write(of), bits, family)
        const range = parseRange(`${write(of)}/${bits}`) ?? assert.fail()
        for (const address of [write(of), write(other)])
          assert.equal(isInRanges(parseAddress(address) ?? assert.fail(), [range]), list.check(address, family))
      }
    }),
  )
  const all = [parseRange('::/0') ?? assert.fail()]
  assert.equal(isInRanges(parseAddress('10.0.0.1') ?? assert.fail(), all), false, 'of its own version')
  assert.equal(isInRanges(parseAddress('::ffff:10.0.0.1') ?? assert.fail(), all), false)
})

test('loopback is 127.0.0.0/8 and ::1, in whatever notation', () => {
  for (const text of ['127.0.0.1', '127.255.255.255', '::ffff:127.0.0.1', '::FFFF:7f00:1', '::1', '0:0:0:0:0:0:0:1'])
    assert.equal(isLoopback(text), true, text)
  for (const text of ['126.255.255.255', '128.0.0.0', '::', '::2', '::127.0.0.1', '127.1', '127.0.0.1.example', ''])
    assert.equal(isLoopback(text), false, text)
})
