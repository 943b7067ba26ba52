import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseQuickAdd } from '#quick-add/quick-add.ts'

/** The examples of docs/quick-add.md: the title, and the values in code in the third column. */
const page = readFileSync(new URL('../docs/quick-add.md', import.meta.url), 'utf8')
const languages: Readonly<Record<string, string>> = { German: 'de', French: 'fr', Spanish: 'es', Chinese: 'zh' }
const options = { now: Date.parse('2026-12-01T10:00:00+01:00'), timeZone: 'Europe/Berlin' }
/** Values, without the words and options that the column also has in code. */
const isValue = (code: string) => !/^(?:[wdhm]|!.*|2nd|en-GB)$/.test(code)

test('each example of the page is parsed as the page says', () => {
  let count = 0
  for (const section of page.split(/^## /m)) {
    const language = languages[section.split('\n')[0] as string] ?? 'en'
    for (const [, text, title, meaning] of section.matchAll(/^\| `(.+?)` \| (.+?) \| (.+) \|$/gm)) {
      const result = parseQuickAdd(text as string, { ...options, language })
      assert.ok('task' in result)
      const { task } = result
      const { rule, from } = task.recurrence ?? {}
      const values = [
        task.expiry_dt ?? task.expiry_date,
        task.time_zone,
        rule,
        from === 'completion' ? from : undefined,
        ...(task.tags ?? []),
        task.priority,
        ...(task.reminders ?? []),
      ].filter((value) => value !== undefined)
      const isText = (meaning as string).startsWith('text')
      const named = isText ? [] : Array.from((meaning as string).matchAll(/`(.+?)`/g), (code) => code[1] as string)
      assert.deepEqual({ title: task.title, values }, { title, values: named.filter(isValue) }, text as string)
      count += 1
    }
  }
  assert.ok(count > 60, 'the rows are found')
})
