/**
 * What a search takes for a word, on every database alike: none of their own tokenizers has a part in it, with its stop words, least
 * lengths and ideas of an e-mail address. A word is a run of letters and digits, whatever their case and width. Han and kana are
 * written without spaces: there each character is a word.
 */
const ideographs = '[[\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}]&&[\\p{L}\\p{N}]]'
const word = new RegExp(`${ideographs}|(?:[[\\p{L}\\p{N}]--${ideographs}][[\\p{L}\\p{N}\\p{M}]--${ideographs}]*)`, 'gv')
/** The same where there is nothing but ASCII, in a fifth of the time. */
const asciiWord = /[a-z0-9]+/g
const isAscii = /^[\0-\x7f]*$/

/** Characters of a word that count; no database keeps an index of longer ones for nothing. */
export const maxWordLength = 60

/** The words of some texts, each once. */
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

/** Whether each of `wanted`, which are words, is one of the words of some texts or the beginning of one. */
export function haveTokens(texts: readonly (string | null)[], wanted: readonly string[]): boolean {
  const words = tokenize(...texts)
  return wanted.every((start) => words.some((one) => one.startsWith(start)))
}
