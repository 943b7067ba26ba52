import { type Action, type Entry, type MessageText, truncate } from './message-text.ts'

/** Converts plain text to the markup of a medium. */
export interface Markup {
  text(plain: string): string
  bold(plain: string): string
  /** All actions of a task as one line of links. Absent if the medium has buttons, or no links. */
  links?(actions: readonly Action[]): string
}

export const plain: Markup = { text: (text) => text, bold: (text) => text }

/** For one task only: full addresses would bury a list of tasks. */
export const plainWithLinks: Markup = {
  ...plain,
  links: (actions) => actions.map(({ label, url }) => `${label}: ${url}`).join('\n'),
}

/** Steps that make a long message fit, in order: naming every task matters more than the details of one. */
const reductions: readonly ((entry: Entry) => Entry)[] = [
  (entry) => entry,
  (entry) => truncateDescription(entry, 400),
  (entry) => truncateDescription(entry, 100),
  (entry) => ({ ...entry, description: '' }),
  (entry) => ({ ...entry, description: '', actions: [] }),
]

const truncateDescription = (entry: Entry, max: number): Entry => ({
  ...entry,
  description: truncate(entry.description, max),
})

/**
 * Builds the longest message that fits. Entries are reduced before they are rendered and never afterwards: truncating markup could leave
 * half of an escape sequence. If there are still too many, the reminders that fired first are named, and the rest is counted.
 * @param build renders these entries, and the number of omitted ones
 */
export function fitEntries<T>(
  entries: readonly Entry[],
  build: (entries: readonly Entry[], omitted: number) => T,
  fits: (built: T) => boolean,
): T {
  let bare = entries
  for (const reduce of reductions) {
    bare = entries.map(reduce)
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
 * The message without its subject, one paragraph an entry.
 * @param max in the unit of `measure`. Default: UTF-16 code units
 */
export function formatBody(
  { entries }: MessageText,
  markup: Markup,
  max: number,
  measure = (text: string) => text.length,
): string {
  const isOnly = entries.length === 1
  return fitEntries(
    entries,
    (some, omitted) => {
      const paragraphs = some.map((entry) => paragraph(entry, isOnly, markup))
      return [...paragraphs, ...(omitted > 0 ? [markup.text(formatOmitted(omitted))] : [])].join('\n\n')
    },
    (text) => measure(text) <= max,
  )
}

/** For a single task, the subject has the title and the state: they are not repeated here. */
function paragraph({ title, state, when, late, description, actions }: Entry, isOnly: boolean, markup: Markup): string {
  const head = isOnly ? markup.text(when) : `${markup.bold(title)} ${markup.text(`${state}: ${when}`)}`
  const lines = [head, late && markup.text(late), description && markup.text(description)]
  return [...lines, actions.length > 0 && markup.links?.(actions)].filter(Boolean).join('\n')
}

export const formatOmitted = (count: number) => `… and ${count} more`

/** The buttons of a message about a single task. Under several tasks it would be unclear which one a button is for. */
export function buttonsOf({ entries }: MessageText): readonly Action[] {
  return entries.length === 1 ? entries[0].actions : []
}

/** One line that is short enough once it is escaped, without splitting an escape sequence. */
export function truncateEscaped(text: string, max: number, escapeText: (plain: string) => string): string {
  for (let length = max; ; length = Math.floor(length * 0.9)) {
    const escaped = escapeText(truncate(text, length))
    if (escaped.length <= max) return escaped
  }
}
