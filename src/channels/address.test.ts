import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AddressClass, classify } from './address.ts'

/** The registry of special-purpose addresses (RFC 6890) with the additions of clouds, first and last of each; all else is public. */
const special: readonly [first: string, last: string, range: AddressClass][] = [
  ['0.0.0.0', '0.255.255.255', 'never'],
  ['10.0.0.0', '10.255.255.255', 'private'],
  ['100.64.0.0', '100.100.100.199', 'private'],
  ['100.100.100.200', '100.100.100.200', 'never'],
  ['100.100.100.201', '100.127.255.255', 'private'],
  ['127.0.0.0', '127.255.255.255', 'private'],
  ['168.63.129.16', '168.63.129.16', 'never'],
  ['169.254.0.0', '169.254.255.255', 'never'],
  ['172.16.0.0', '172.31.255.255', 'private'],
  ['192.0.0.0', '192.0.0.255', 'private'],
  ['192.0.2.0', '192.0.2.255', 'private'],
  ['192.88.99.0', '192.88.99.255', 'private'],
  ['192.168.0.0', '192.168.255.255', 'private'],
  ['198.18.0.0', '198.19.255.255', 'private'],
  ['198.51.100.0', '198.51.100.255', 'private'],
  ['203.0.113.0', '203.0.113.255', 'private'],
  ['224.0.0.0', '239.255.255.255', 'never'],
  ['240.0.0.0', '255.255.255.254', 'private'],
  ['255.255.255.255', '255.255.255.255', 'never'],
]

const numberOf = (address: string) => address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
const textOf = (number: number) => [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join('.')

const expected = (number: number): AddressClass =>
  special.find(([first, last]) => numberOf(first) <= number && number <= numberOf(last))?.[2] ?? 'public'

/** The same IPv4 address, embedded in IPv6. */
function embedded(number: number): string[] {
  const [high, low] = [(number >>> 16).toString(16), (number & 0xffff).toString(16)]
  const dotted = textOf(number)
  return [
    ...[`::ffff:${dotted}`, `::FFFF:${high}:${low}`, `0:0:0:0:0:ffff:${high}:${low}`, `::ffff:${dotted}%eth0`],
    ...[`64:ff9b::${dotted}`, `64:ff9b::${high}:${low}`, `2002:${high}:${low}::`, `2002:${high}:${low}::1`],
  ]
}

test('each special-purpose range of IPv4 has exact bounds, also embedded in IPv6', () => {
  for (const [first, last] of special)
    for (const number of [numberOf(first) - 1, numberOf(first), numberOf(last), numberOf(last) + 1]) {
      if (number < 0 || number >= 2 ** 32) continue
      for (const address of [textOf(number), ...embedded(number)])
        assert.equal(classify(address), expected(number), address)
    }
})

test('any other range has exact bounds, too', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (number) => {
      for (const address of [textOf(number), ...embedded(number)])
        assert.equal(classify(address), expected(number), address)
    }),
  )
})

test('only global unicast addresses of IPv6 are public', () => {
  const table: Record<AddressClass, readonly string[]> = {
    never: [
      ...['::', '0:0:0:0:0:0:0:0', 'fe80::', 'fe80::1%eth0', 'febf:ffff::', 'ff00::', 'ff02::1', 'ff0e::1'],
      ...['fd00:ec2::254', 'FD00:0EC2:0:0::0254', 'fd20:ce::254'],
    ],
    private: [
      ...['::1', '0:0:0:0:0:0:0:1', '::1%lo', '::7f00:1', '::127.0.0.1', '::ffff:0:127.0.0.1', '1::', '1fff:ffff::'],
      ...[
        'fc00::',
        'fd00:ec2::253',
        'fdff:ffff::1',
        'fec0::1',
        'feff::1',
        '100::1',
        '100:0:0:1::1',
        '4000::',
        '5f00::1',
      ],
      ...['64:ff9b:1::1', '64:ff9b:1:a00:0:100::', '64:ff9a::1', '64:ff9b:0:0:0:1:808:808', '8000::', 'e000::'],
      ...['2001::1', '2001:0:4136:e378::1', '2001:1::1', '2001:2::1', '2001:10::1', '2001:20::1', '2001:1ff:ffff::1'],
      ...['2001:db8::', '2001:db8:ffff::1', '3fff::1', '3fff:fff:ffff::1'],
    ],
    public: [
      ...[
        '2000::',
        '2001:200::',
        '2001:4860:4860::8888',
        '2001:db7:ffff::',
        '2001:db9::',
        '2003::1',
        '2606:4700::1111',
      ],
      ...['2a00:1450::1', '3ffe::1', '3fff:1000::', '3fff:ffff::1'],
    ],
  }
  for (const [range, addresses] of Object.entries(table))
    for (const address of addresses) assert.equal(classify(address), range, address)
})

test('every IPv6 address has a range, the same in every spelling', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      if (isIP(address) === 0) return
      const usual = new URL(`http://[${address}]/`).hostname.slice(1, -1)
      assert.equal(classify(address), classify(usual))
      assert.equal(classify(address.toUpperCase()), classify(usual))
    }),
  )
})

test('text that is no address is never allowed', () => {
  for (const text of ['', 'localhost', '127.1', '0177.0.0.1', '1.2.3.4.5', 'x%1.2.3.4'])
    assert.equal(classify(text), 'never', text)
})
