import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isConfidential } from './web-address.ts'

test('encrypted and local traffic is confidential', () => {
  for (const url of [
    'https://id.example.org',
    'http://localhost:8080/a',
    'http://LOCALHOST',
    'http://127.0.0.1',
    'http://127.1:80',
    'http://0x7f000001',
    'http://[::1]:8080',
    'http://[0:0:0:0:0:0:0:1]',
  ])
    assert.ok(isConfidential(new URL(url)), url)
  for (const url of [
    'http://id.example.org',
    'http://localhost.example.org',
    'http://127.0.0.1.example.org',
    'http://127.example.org',
    'http://10.0.0.7',
    'http://[::2]',
    'http://localhost@id.example.org',
    'ftp://localhost',
    'wss://id.example.org',
  ])
    assert.ok(!isConfidential(new URL(url)), url)
})
