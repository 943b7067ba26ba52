import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRule } from '#core/recurrence/rule.ts'
import { maxTextCharacters, parseQuickAdd, type Span } from '#quick-add/quick-add.ts'
import { allVectors } from '#support/quick-add-vectors.ts'
import { sizes } from '#test/sizes.ts'

const vectors = allVectors()
/** The words of all vectors, so that the texts consist of words that the grammars know. */
const words = [...new Set(vectors.flatMap(({ text }) => text.split(/\s+/)))]
const punctuation = [
  '#',
  '!',
  '~',
  '"',
  '\\',
  '“',
  '”',
  ',',
  '.',
  ':',
  '/',
  '-',
  '(',
  ')',
  '\n',
  '\u3000',
  '\uFFFC',
  "'",
]
const text = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...words) },
      { weight: 2, arbitrary: fc.constantFrom(...vectors.map((vector) => vector.text)) },
      { weight: 2, arbitrary: fc.constantFrom(...punctuation) },
      { weight: 2, arbitrary: fc.integer({ min: -5, max: 9999 }).map(String) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
      { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
    ),
    { maxLength: 30 },
  )
  .chain((parts) => fc.constantFrom(' ', ' ', '').map((between) => parts.join(between)))
const options = fc.record({
  // From 1970 to 2100.
  now: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia'),
  language: fc.constantFrom('en', 'en-GB', 'de', 'fr', 'es', 'zh'),
})

const withoutSpace = (part: string) => part.replaceAll(/\s+/g, '')

function checkSpans(written: string, spans: readonly Span[]): string {
  let rest = ''
  let end = 0
  for (const span of spans) {
    assert.ok(span.start >= end && span.end > span.start && span.end <= written.length, 'in order, inside the text')
    rest += written.slice(end, span.start)
    end = span.end
  }
  return rest + written.slice(end)
}

test(`${sizes.quickAddTexts} texts: no error, spans in order, and title and spans account for all of the text`, () => {
  fc.assert(
    fc.property(text, options, (written, given) => {
      const result = parseQuickAdd(written, given)
      if ('error' in result) {
        assert.ok([...written].length > maxTextCharacters)
        return
      }
      const { task, spans, notes } = result
      assert.equal(withoutSpace(task.title), withoutSpace(checkSpans(written, spans)))
      assert.equal(task.title, task.title.trim())
      for (const { start, end } of notes) assert.ok(start >= 0 && start <= end && end <= written.length)
      const fields = new Set(spans.map(({ field }) => field))
      assert.equal(fields.has('tags'), task.tags !== undefined)
      assert.equal(fields.has('priority'), task.priority !== undefined)
      assert.equal(fields.has('reminders'), task.reminders !== undefined)
      assert.equal(fields.has('recurrence'), task.recurrence !== undefined)
      assert.equal(fields.has('time_zone'), task.time_zone !== undefined)
      assert.ok(task.expiry_dt === undefined || task.expiry_date === undefined, 'a day or a time')
      // parseTask expands the rule without a check of its own.
      if (task.recurrence) parseRule(task.recurrence.rule)
      if (task.expiry_date) Temporal.PlainDate.from(task.expiry_date)
      if (task.expiry_dt) Temporal.PlainDateTime.from(task.expiry_dt.replace(/Z$/, ''))
    }),
    { numRuns: sizes.quickAddTexts },
  )
})
