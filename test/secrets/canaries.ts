import { randomInt } from 'node:crypto'

/**
 * Secrets with a mark in each, and a search for them in all output of a server. A mark is 20 letters and digits that appear nowhere else,
 * so it is found in every form of its secret: cut in half, escaped in JSON, HTML or a URL, in capitals, in hex, and in base64 at any offset
 * (of `user:password`, say).
 */
export interface Canaries {
  /** A new secret. @param shape for a secret with a fixed format: inserts the mark, once or in lower case */
  make(name: string, shape?: (mark: string) => string): string
  /** A secret that another program has made; all of it is the mark. @returns it */
  add(name: string, secret: string): string
  has(name: string): boolean
  readonly names: readonly string[]
  /** The secrets in a text, each once. */
  findIn(text: string): Find[]
}

export interface Find {
  readonly name: string
  readonly form: string
}

const markLength = 20
/** Every form is longer, so that a text is searched once, whatever the number of secrets. */
const windowLength = 8

export function createCanaries(): Canaries {
  const marks = new Map<string, string[]>()
  const byBeginning = new Map<string, (Find & { readonly text: string })[]>()

  function watchFor(name: string, mark: string) {
    marks.set(name, [...(marks.get(name) ?? []), mark])
    for (const [form, text] of formsOf(mark)) {
      if (text.length < windowLength) throw new Error(`${name} is too short to be found ${form}`)
      const beginning = text.slice(0, windowLength)
      byBeginning.set(beginning, [...(byBeginning.get(beginning) ?? []), { name, form, text }])
    }
  }

  return {
    make(name, shape = (mark) => mark) {
      const mark = makeMark()
      watchFor(name, mark)
      const secret = shape(mark)
      if (!secret.includes(mark)) throw new Error(`${name} does not hold its mark`)
      return secret
    },
    add(name, secret) {
      watchFor(name, secret)
      return secret
    },
    has: (name) => marks.has(name),
    get names() {
      return [...marks.keys()]
    },
    findIn(text) {
      const found = new Map<string, Find>()
      const low = text.toLowerCase()
      for (let i = 0; i <= low.length - windowLength; i++)
        for (const { name, form, text: needle } of byBeginning.get(low.slice(i, i + windowLength)) ?? [])
          if (low.startsWith(needle, i) && !found.has(name)) found.set(name, { name, form })
      return [...found.values()]
    },
  }
}

const digits = 'abcdefghijklmnopqrstuvwxyz0123456789'

const makeMark = () => Array.from({ length: markLength }, () => digits[randomInt(digits.length)]).join('')

/** All in lower case, like the searched text; the whole before its halves. */
function formsOf(mark: string): (readonly [form: string, text: string])[] {
  const bytes = Buffer.from(mark)
  const middle = Math.ceil(mark.length / 2)
  const forms = [
    ['as it is', mark],
    // Half of it remains after a truncation.
    ['in its first half', mark.slice(0, middle)],
    ['in its second half', mark.slice(-middle)],
    ['as a part of a URL', encodeURIComponent(mark)],
    ['as a part of JSON', JSON.stringify(mark).slice(1, -1)],
    ['with every byte as %', bytes.toString('hex').replace(/../g, '%$&')],
    ['as hex', bytes.toString('hex')],
    ...[0, 1, 2].flatMap((at) =>
      (['base64', 'base64url'] as const).map((encoding) => [`as ${encoding}`, encodedAt(bytes, at, encoding)] as const),
    ),
  ] as const
  const all = forms.map(([form, text]) => [form, text.toLowerCase()] as const)
  return all.filter(([, text], i) => all.findIndex((one) => one[1] === text) === i)
}

/** Base64 of bytes that begin at this one of a group of three: only the characters that depend on nothing but them. */
function encodedAt(bytes: Buffer, at: number, encoding: 'base64' | 'base64url'): string {
  const text = Buffer.concat([Buffer.alloc(at), bytes]).toString(encoding)
  return text.slice(Math.ceil((at * 8) / 6), Math.floor(((at + bytes.length) * 8) / 6))
}
