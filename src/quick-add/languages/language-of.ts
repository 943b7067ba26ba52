import { type LanguageCode, languageCodeOf } from './codes.ts'
import { de } from './de.ts'
import { en } from './en.ts'
import { es } from './es.ts'
import { fr } from './fr.ts'
import type { Language } from './language.ts'
import { zh } from './zh.ts'

const languages: Readonly<Record<LanguageCode, Language>> = { en, de, fr, es, zh }

/** The language of a BCP 47 tag such as `en-GB`, English for any other, and whether its region writes the day before the month. */
export function languageOf(tag: string): { language: Language; isDayFirst: boolean } {
  const code = languageCodeOf(tag)
  if (!code) return { language: en, isDayFirst: false }
  return { language: languages[code], isDayFirst: writesDayFirst(tag) }
}

function writesDayFirst(tag: string): boolean {
  try {
    const parts = new Intl.DateTimeFormat(tag, { dateStyle: 'short', calendar: 'gregory' }).formatToParts(0)
    return parts.findIndex(({ type }) => type === 'day') < parts.findIndex(({ type }) => type === 'month')
  } catch {
    return false // a malformed tag
  }
}
