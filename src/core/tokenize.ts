/**
 * Splits text into the words that a search finds, the same on every database: their own tokenizers, with stop words, minimum lengths
 * and rules for e-mail addresses, are not used. A word is a run of letters and digits in any case and width. Han and kana are written
 * without spaces: there each character is a word.
 */
const ideographs = '[[\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}]&&[\\p{L}\\p{N}]]'
const word = new RegExp(`${ideographs}|(?:[[\\p{L}\\p{N}]--${ideographs}][[\\p{L}\\p{N}\\p{M}]--${ideographs}]*)`, 'gv')
/** The same for ASCII text, in a fifth of the time. */
const asciiWord = /[a-z0-9]+/g
const isAscii = /^[\0-\x7f]*$/

/** Words are truncated to this many characters, so that no index holds longer ones. */
export const maxWordLength = 60

/** The distinct words of these texts. */
export function tokenize(...texts: readonly (string | null)[]): string[] {
  const found = new Set<string>()
  for (const text of texts) {
    if (text === null) continue
    const plain = isAscii.test(text) ? text.toLowerCase() : text.normalize('NFKC').toLowerCase()
    for (const one of plain.match(isAscii.test(plain) ? asciiWord : word) ?? []) found.add(truncate(one))
  }
  return [...found]
}

function truncate(text: string): string {
  return text.length <= maxWordLength ? text : [...text].slice(0, maxWordLength).join('')
}

/** Whether each of `prefixes` begins a word of these texts. */
export function haveTokens(texts: readonly (string | null)[], prefixes: readonly string[]): boolean {
  const words = tokenize(...texts)
  return prefixes.every((prefix) => words.some((one) => one.startsWith(prefix)))
}
