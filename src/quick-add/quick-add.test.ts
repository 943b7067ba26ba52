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
