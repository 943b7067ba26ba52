import { type Action, cut, type Entry, type MessageText } from './message-text.ts'

/** How a medium writes. What comes in is plain text, what goes out is the medium's own. */
export interface Markup {
  text(plain: string): string
  bold(plain: string): string
  /** One line for all that can be done about a task. Absent where the medium has buttons for it, or nothing to press. */
  links?(actions: readonly Action[]): string
}

export const plain: Markup = { text: (text) => text, bold: (text) => text }

/** For one task only: addresses in full are more to read than a list of tasks. */
export const plainWithLinks: Markup = {
  ...plain,
  links: (actions) => actions.map(({ label, url }) => `${label}: ${url}`).join('\n'),
}

/** What is given up, one after the other, where a letter is too long: to know of a task is worth more than to read all about one. */
const shortenings: readonly ((entry: Entry) => Entry)[] = [
  (entry) => entry,
  (entry) => shortened(entry, 400),
  (entry) => shortened(entry, 100),
  (entry) => ({ ...entry, description: '' }),
  (entry) => ({ ...entry, description: '', actions: [] }),
]

const shortened = (entry: Entry, max: number): Entry => ({ ...entry, description: cut(entry.description, max) })

/**
 * The most of a letter that fits. Entries are shortened before they are written and never afterwards: a cut through what is
 * written could leave half of an escape. Of many, those that rang first are told, and how many more there are.
 * @param build writes these entries, and that so many more were left out
 */
export function fitting<T>(
  entries: readonly Entry[],
  build: (entries: readonly Entry[], left: number) => T,
  fits: (built: T) => boolean,
): T {
  let bare = entries
  for (const shorten of shortenings) {
    bare = entries.map(shorten)
    const built = build(bare, 0)
    if (fits(built)) return built
  }
  const first = (count: number) => build(bare.slice(0, count), entries.length - count)
  let max = 1
  let tooMany = entries.length
  while (tooMany - max > 1) {
    const middle = Math.floor((max + tooMany) / 2)
    if (fits(first(middle))) max = middle
    else tooMany = middle
  }
  return first(max)
}

/**
 * A letter without its subject, an entry a paragraph.
 * @param most of what `measure` counts; where absent, UTF-16 code units
 */
export function compose(
  { entries }: MessageText,
  markup: Markup,
  max: number,
  measure = (text: string) => text.length,
): string {
  const isOnly = entries.length === 1
  return fitting(
    entries,
    (some, left) => {
      const paragraphs = some.map((entry) => paragraph(entry, isOnly, markup))
      return [...paragraphs, ...(left > 0 ? [markup.text(leftOut(left))] : [])].join('\n\n')
    },
    (text) => measure(text) <= max,
  )
}

/** The subject says of an only task what it is, so that here it need not be said again. */
function paragraph({ title, state, when, late, description, actions }: Entry, isOnly: boolean, markup: Markup): string {
  const head = isOnly ? markup.text(when) : `${markup.bold(title)} ${markup.text(`${state}: ${when}`)}`
  const lines = [head, late && markup.text(late), description && markup.text(description)]
  return [...lines, actions.length > 0 && markup.links?.(actions)].filter(Boolean).join('\n')
}

export const leftOut = (count: number) => `… and ${count} more`

/** The buttons of a message: those of its only task. Under several nobody could tell whose they are. */
export function buttonsOf({ entries }: MessageText): readonly Action[] {
  return entries.length === 1 ? entries[0].actions : []
}

/** One line, cut so that it is short enough after it is escaped, and no escape is cut in half. */
export function cutEscaped(text: string, max: number, write: (plain: string) => string): string {
  for (let length = max; ; length = Math.floor(length * 0.9)) {
    const escaped = write(cut(text, length))
    if (escaped.length <= max) return escaped
  }
}
