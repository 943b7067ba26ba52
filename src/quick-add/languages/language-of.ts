import { de } from './de.ts'
import { en } from './en.ts'
import { es } from './es.ts'
import { fr } from './fr.ts'
import type { Language } from './language.ts'
import { zh } from './zh.ts'

const languages: ReadonlyMap<string, Language> = new Map(Object.entries({ en, de, fr, es, zh }))

/** The language of a BCP 47 tag such as `en-GB`, English for any other, and whether its region writes the day before the month. */
export function languageOf(tag: string): { language: Language; isDayFirst: boolean } {
  const language = languages.get(tag.split('-')[0]?.toLowerCase() ?? '')
  if (!language) return { language: en, isDayFirst: false }
  return { language, isDayFirst: writesDayFirst(tag) }
}

function writesDayFirst(tag: string): boolean {
  try {
    const parts = new Intl.DateTimeFormat(tag, { dateStyle: 'short', calendar: 'gregory' }).formatToParts(0)
    return parts.findIndex(({ type }) => type === 'day') < parts.findIndex(({ type }) => type === 'month')
  } catch {
    return false // a malformed tag
  }
}
