import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseReturnTo } from './return-to.ts'

test('a path of this server is kept, with its query and fragment', () => {
  for (const path of ['/', '/tasks/7', '/tasks?tag=home&q=a//b', '/tasks#7', '/a/http://b/', '/%2F/b', '/a:b@c'])
    assert.equal(parseReturnTo(path), path)
  assert.equal(parseReturnTo('/été?q=é'), '/%C3%A9t%C3%A9?q=%C3%A9')
})

test('anything else becomes /', () => {
  for (const elsewhere of [
    undefined,
    7,
    '',
    'tasks',
    'https://evil.example/',
    'javascript:alert(1)',
    '//evil.example/',
    '///evil.example/',
    '/\\evil.example/',
    '\\/evil.example/',
    '/tasks\\..\\..',
    '/.//evil.example/',
    '/..//evil.example/',
    '/a/..//evil.example/',
    '/%2e//evil.example/',
    '/\t/evil.example/',
    '/\n/evil.example/',
    '/a\r\nset-cookie: b=c',
    '/a\u0000',
    '/a\u0085b',
    ' /tasks',
    `/${'a'.repeat(1_000)}`,
  ])
    assert.equal(parseReturnTo(elsewhere), '/', JSON.stringify(elsewhere))
})

test('the result is a path of the same server to any URL parser', () => {
  for (const path of [
    '/.a//b',
    '/./tasks',
    '/;//evil.example',
    '/?//evil.example',
    '/#//evil.example',
    '/@evil.example',
  ])
    assert.equal(new URL(parseReturnTo(path), 'https://tasks.example.org').origin, 'https://tasks.example.org')
})
