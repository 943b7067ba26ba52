import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { allVectors } from '#support/quick-add-vectors.ts'
import { maxTextCharacters, parseQuickAdd, type QuickAdd } from './quick-add.ts'

const vectors = allVectors()

function parse(text: string, language = 'en', now = '2026-12-01T10:00:00+01:00', timeZone = 'Europe/Berlin'): QuickAdd {
  const result = parseQuickAdd(text, { now: Date.parse(now), timeZone, language })
  assert.ok(!('error' in result))
  return result
}

/** Chrono computes with the process's own zone. None of that may show, in a browser least of all. */
for (const processZone of ['UTC', 'America/New_York', 'Australia/Lord_Howe'])
  test(`the vectors, in a process whose zone is ${processZone}`, (t) => {
    const before = process.env.TZ
    process.env.TZ = processZone
    t.after(() => {
      if (before === undefined) delete process.env.TZ
      else process.env.TZ = before
    })
    const failures: string[] = []
    for (const vector of vectors) {
      const { task, spans, notes } = parse(vector.text, vector.language, vector.now, vector.zone)
      const read = {
        task,
        spans: spans.map(({ start, end, field }) => [vector.text.slice(start, end), field]),
        notes: notes.map(({ code }) => code),
      }
      try {
        assert.deepEqual(read, { task: vector.task, spans: vector.spans, notes: vector.notes })
      } catch (error) {
        failures.push(`${vector.language}: ${vector.text}\n${(error as Error).message}`)
      }
    }
    assert.deepEqual(failures, [])
  })

test('the vectors are enough, and none is there twice', () => {
  const count = (is: (vector: (typeof vectors)[number]) => boolean) => vectors.filter(is).length
  assert.ok(vectors.length >= 200)
  assert.ok(count(({ isFalseFriend }) => isFalseFriend) >= 40)
  for (const language of ['de', 'fr', 'es', 'zh'])
    assert.ok(count((vector) => vector.language === language) >= 25, language)
  const keys = vectors.map(({ text, now, zone, language }) => [text, now, zone, language].join('\n'))
  assert.equal(new Set(keys).size, keys.length)
})

test('a longer text is an error value, counted in characters', () => {
  const options = { now: 0, timeZone: 'UTC' }
  const error = { error: { code: 'text_too_long', message: 'text must have at most 500 characters' } }
  assert.deepEqual(parseQuickAdd('a'.repeat(maxTextCharacters + 1), options), error)
  assert.deepEqual(parseQuickAdd('a'.repeat(10_000_000), options), error)
  assert.ok('task' in parseQuickAdd('🌍'.repeat(maxTextCharacters), options))
})

test('offsets are UTF-16 code units', () => {
  const text = '🌍🌍 party tomorrow'
  const [span] = parse(text).spans
  assert.deepEqual(span, { start: 11, end: 19, field: 'expiry_date' })
})

test('an unknown or malformed language is read as English, and the region decides between day and month', () => {
  const expiry = (language: string) => parse('Pay 5/6', language).task.expiry_date
  assert.deepEqual(['en', 'en-US', 'xx', '', 'en-!!', 'constructor'].map(expiry), Array(6).fill('2027-05-06'))
  assert.deepEqual(['en-GB', 'en-AU', 'de', 'fr-CA', 'es'].map(expiry), [
    '2027-06-05',
    '2027-06-05',
    '2027-06-05',
    '2027-05-06',
    '2027-06-05',
  ])
})

test('the parser needs nothing of Node, so that it runs in a browser', () => {
  const root = new URL('./', import.meta.url)
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  )
  assert.ok(files.length > 10)
  for (const file of files) {
    const source = readFileSync(new URL(file, root), 'utf8')
    for (const [, specifier] of source.matchAll(/from '([^']+)'/g))
      assert.match(specifier as string, /^(?:\.|#core\/|chrono-node)/, `${file}: ${specifier}`)
    assert.doesNotMatch(source, /\b(?:Buffer|process|require)\b[.(]/, file)
  }
})
