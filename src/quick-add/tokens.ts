import { limits, type Priority } from '#core/task.ts'
import type { Language } from './languages/language.ts'
import type { Scan } from './scan.ts'

const priorityNames: readonly Priority[] = ['none', 'low', 'medium', 'high']
/** A token stands alone: after white space, an opening bracket, or a Chinese mark. */
const tokenStart = '(?<=^|[\\s(（，。、；])'
const tokenEnd = '(?=$|[\\s,;:.!?)），。、；：！？])'

/** Text that is never read: in quotation marks, after a backslash, addresses, and the names of the language. */
export function protectText(scan: Scan, language: Language): void {
  const quotes =
    /(?<=^|[\s(（])(?:"([^"\n]+)"|“([^”\n]+)”|„([^“”\n]+)[“”]|«([^»\n]+)»)(?=$|[\s,;:.!?)）])|“([^”\n]+)”|「([^」\n]+)」/g
  for (const match of scan.work.matchAll(quotes)) {
    const end = match.index + match[0].length
    scan.take(match.index, match.index + 1, 'syntax')
    scan.take(end - 1, end, 'syntax')
    scan.protect(match.index, end)
  }
  for (const match of scan.work.matchAll(/(?<=^|\s)\\(?=[#＃!！~～"“\p{L}\p{N}])\S+/gu)) {
    scan.take(match.index, match.index + 1, 'syntax')
    scan.protect(match.index, match.index + match[0].length)
  }
  // Bounded in front, because an address that is searched for from each letter of a long word costs the square of its length.
  for (const match of scan.work.matchAll(
    /(?<![a-z])[a-z][a-z+.-]{0,20}:\/\/\S+|(?<!\w)www\.\S+|(?<=^|\s)[^\s@]+@[^\s@]+\.[^\s@]+/gi,
  ))
    scan.protect(match.index, match.index + match[0].length)
  const [start, end] = language.isSpaced ? ['(?<![\\p{L}\\p{N}])', '(?![\\p{L}\\p{N}])'] : ['', '']
  for (const match of scan.work.matchAll(new RegExp(`${start}(?:${language.names})${end}`, 'giu')))
    scan.protect(match.index, match.index + match[0].length)
}

/** `#tag`. Letters, digits, and `_ - / . &` within; only digits is the number of something: «issue #5». */
export function readTags(scan: Scan): string[] {
  const tags: string[] = []
  const form = new RegExp(
    `${tokenStart}[#＃]([\\p{L}\\p{M}\\p{N}_\\p{Extended_Pictographic}\\u200D\\uFE0F]+(?:[-/.&][\\p{L}\\p{M}\\p{N}_]+)*)${tokenEnd}`,
    'gu',
  )
  for (const match of scan.work.matchAll(form)) {
    const tag = match[1] as string
    const end = match.index + match[0].length
    if (/^\d+$/.test(tag)) continue
    if ([...tag].length > limits.tagCharacters) {
      scan.note('too_many', `A tag must have at most ${limits.tagCharacters} characters.`, match.index, end)
      continue
    }
    if (tags.length >= limits.tags && !tags.includes(tag)) {
      scan.note('too_many', `A task has at most ${limits.tags} tags.`, match.index, end)
      continue
    }
    if (!tags.includes(tag)) tags.push(tag)
    scan.take(match.index, end, 'tags')
  }
  return tags
}

/** `!high`, `!1`, and the words of the language. The last one counts. */
export function readPriority(scan: Scan, languages: readonly Language[]): Priority | undefined {
  const words = languages.flatMap((language) => language.priorities)
  const form = new RegExp(`${tokenStart}[!！](${words.map(([source]) => source).join('|')})${tokenEnd}`, 'giu')
  let priority: Priority | undefined
  for (const match of scan.work.matchAll(form)) {
    const [, level = 0] = words.find(([source]) => new RegExp(`^(?:${source})$`, 'iu').test(match[1] as string)) ?? []
    priority = priorityNames[level]
    scan.take(match.index, match.index + match[0].length, 'priority')
  }
  return priority
}

const designators: Readonly<Record<number, readonly [prefix: string, designator: string]>> = {
  10080: ['P', 'W'],
  1440: ['P', 'D'],
  60: ['PT', 'H'],
  1: ['PT', 'M'],
}

/** `~1d`, `~2h`, `~15m`: leads before the expiry, as ISO 8601 durations. `~500` without a unit means «about 500». */
export function readReminders(scan: Scan, languages: readonly Language[]): string[] {
  const reminders: string[] = []
  const units = languages.flatMap((language) => language.leadUnits)
  const form = new RegExp(
    `${tokenStart}[~～](\\d{1,4})(${units.map(([source]) => source).join('|')})${tokenEnd}`,
    'giu',
  )
  for (const match of scan.work.matchAll(form)) {
    const end = match.index + match[0].length
    const [, minutes = 1] = units.find(([source]) => new RegExp(`^(?:${source})$`, 'iu').test(match[2] as string)) ?? []
    if (Number(match[1]) * minutes > maxLeadMinutes) {
      scan.note('too_many', 'A reminder comes at most ten years before the expiry.', match.index, end)
      continue
    }
    const [prefix, designator] = designators[minutes] as readonly [string, string]
    const lead = `${prefix}${Number(match[1])}${designator}`
    if (reminders.length >= limits.reminders && !reminders.includes(lead)) {
      scan.note('too_many', `A task has at most ${limits.reminders} reminders.`, match.index, end)
      continue
    }
    if (!reminders.includes(lead)) reminders.push(lead)
    scan.take(match.index, end, 'reminders')
  }
  return reminders
}

/** Ten years, as `core/duration.ts` has it. */
const maxLeadMinutes = 3_660 * 1_440
