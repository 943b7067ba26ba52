import type { Language, Unit, Words } from './languages/language.ts'

/** The word lists of a language as regular expressions, made once for each language. */
export interface Grammar {
  readonly language: Language
  /** A pattern of the language files that matches whole words anywhere. */
  find(pattern: string): RegExp
  /** The same, only at `lastIndex`. */
  at(pattern: string): RegExp
  /** The same, only at the end of a text. */
  before(pattern: string): RegExp
  weekdayOf(word: string): number
  monthOf(word: string): number
  ordinalOf(word: string): number
  /** A number in digits or as a word. */
  numberOf(word: string): number
  unitOf(word: string): Unit
}

const join = (words: Words) => words.map(([source]) => source).join('|')

/**
 * Letters, digits and marks as ranges. As `\p{L}\p{N}\p{M}` each expression costs 1.7 ms to compile, and a language has a hundred; as
 * ranges 0.14 ms.
 */
const wordCharacter =
  '\\w\\u00aa\\u00b5\\u00ba\\u00c0-\\u02af\\u0300-\\u1fff\\u2c00-\\u2dff\\u3040-\\ud7ff\\uf900-\\ufdff\\uff10-\\uff19\\uff21-\\uff3a\\uff41-\\uff5a\\uff66-\\uffdc'

/** A word begins and ends here: not within another, nor as part of a name such as `monday.com`, `sun-dried` or `friday's`. */
const wordStart = `(?<![${wordCharacter}#@/\\\\]|[${wordCharacter}][-'’.&+])`
const wordEnd = `(?![${wordCharacter}]|['’-][${wordCharacter}]|[./@&:=][${wordCharacter}])`

function lookup(words: Words): (word: string) => number {
  const entries = words.map(([source, value]) => [new RegExp(`^(?:${spaced(source)})$`, 'iu'), value] as const)
  return (word) => {
    const [, value] = entries.find(([form]) => form.test(word)) ?? []
    if (value === undefined) throw new Error(`not a word of the list: ${word}`)
    return value
  }
}

const spaced = (pattern: string) => pattern.replaceAll(' ?', '\\s*').replaceAll(' ', '\\s+')

const grammars = new WeakMap<Language, Grammar>()

export function grammarOf(language: Language): Grammar {
  let grammar = grammars.get(language)
  if (!grammar) {
    grammar = createGrammar(language)
    grammars.set(language, grammar)
  }
  return grammar
}

function createGrammar(language: Language): Grammar {
  const units = Object.entries(language.units) as [Unit, string][]
  const allWeekdays = [...language.weekdays, ...language.weakWeekdays]
  const groups: Readonly<Record<string, string>> = {
    n: `(?<n>\\d{1,3}(?:[.,]5)?|${join(language.numbers)})`,
    n2: `(?<n2>\\d{1,2}|${join(language.numbers)})`,
    hour: `(?<hour>\\d{1,2}|${join(language.numbers)})`,
    unit: `(?<unit>${units.map(([, source]) => source).join('|')})`,
    minutes: `(?:${language.units.minute})`,
    weekday: `(?<weekday>${join(language.weekdays)})`,
    weakWeekday: `(?<weekday>${join(language.weakWeekdays) || '(?!)'})`,
    anyWeekday: `(?:${join(allWeekdays)})`,
    month: `(?<month>${join(language.months)})`,
    ordinal: `(?<ordinal>${join(language.ordinals)})`,
    day: language.day,
    markedDay: language.markedDay,
  }
  const [start, end] = language.isSpaced ? [wordStart, wordEnd] : ['', '']
  const sourceOf = (pattern: string) =>
    spaced(pattern.replaceAll(/\{([a-z]\w*)\}/gi, (whole, name: string) => groups[name] ?? whole))
  const compiled = new Map<string, RegExp>()
  const compile = (key: string, source: () => string, flags: string) => {
    let form = compiled.get(key)
    if (!form) {
      form = new RegExp(source(), flags)
      compiled.set(key, form)
    }
    form.lastIndex = 0
    return form
  }
  const numberOf = lookup(language.numbers)
  const unitForms = units.map(([unit, source]) => [unit, new RegExp(`^(?:${source})$`, 'iu')] as const)
  return {
    language,
    find: (pattern) => compile(`find ${pattern}`, () => `${start}(?:${sourceOf(pattern)})${end}`, 'giu'),
    at: (pattern) => compile(`at ${pattern}`, () => `(?:${sourceOf(pattern)})${end}`, 'yiu'),
    before: (pattern) => compile(`before ${pattern}`, () => `${start}(?:${sourceOf(pattern)})\\s*$`, 'iu'),
    weekdayOf: lookup(allWeekdays),
    monthOf: lookup(language.months),
    ordinalOf: lookup(language.ordinals),
    numberOf: (word) => (/^\d/.test(word) ? Number(word.replace(',', '.')) : numberOf(word)),
    unitOf: (word) => (unitForms.find(([, form]) => form.test(word)) as (typeof unitForms)[number])[0],
  }
}

export function skipSpace(text: string, position: number): number {
  return position + (/^\s*/.exec(text.slice(position))?.[0].length ?? 0)
}
