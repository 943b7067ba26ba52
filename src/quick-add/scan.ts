/** The members of a task that a part of the text sets; `syntax` is what only marks text: quotation marks and backslashes. */
export type Field =
  | 'tags'
  | 'priority'
  | 'reminders'
  | 'expiry_dt'
  | 'expiry_date'
  | 'time_zone'
  | 'recurrence'
  | 'syntax'

/** A part of the text, in UTF-16 code units, as `text.slice(start, end)` counts. */
export interface Span {
  readonly start: number
  readonly end: number
  readonly field: Field
}

export interface Note {
  readonly code:
    | 'time_passed'
    | 'in_past'
    | 'weekday_mismatch'
    | 'not_kept'
    | 'second_date'
    | 'zone_not_read'
    | 'ends_before_start'
    | 'too_many'
    | 'no_title'
  /** English, for people. */
  readonly message: string
  readonly start: number
  readonly end: number
}

/** Stands where text is that no grammar may read, so that no phrase reaches across it. */
export const unreadable = '\uFFFC'

/**
 * The text while it is read. `work` has the same length: what has been read is blank in it, and what must not be read holds U+FFFC.
 */
export interface Scan {
  readonly text: string
  readonly work: string
  readonly spans: readonly Span[]
  readonly notes: readonly Note[]
  /** Marks a part as read, apart from what already is: a tag may stand within a date. */
  take(start: number, end: number, field: Field): void
  /** Keeps a part from being read. It stays in the title. */
  protect(start: number, end: number): void
  /** Takes brackets around what was read, and the mark that set it apart at the end or the beginning: «Pay rent, tomorrow». */
  tidy(): void
  note(code: Note['code'], message: string, start: number, end: number): void
}

export function createScan(text: string): Scan {
  let work = text.replaceAll(unreadable, ' ')
  let spans: Span[] = []
  const notes: Note[] = []
  const fill = (start: number, end: number, character: string) => {
    work = work.slice(0, start) + character.repeat(end - start) + work.slice(end)
  }
  return {
    text,
    get work() {
      return work
    },
    get spans() {
      return spans.toSorted((a, b) => a.start - b.start)
    },
    notes,
    take(start, end, field) {
      const inside = spans.filter((span) => span.start < end && span.end > start).sort((a, b) => a.start - b.start)
      let from = start
      for (const span of [...inside, { start: end, end }]) {
        const piece = trim(text, from, Math.max(from, span.start))
        if (piece.start < piece.end) spans.push({ ...piece, field })
        from = Math.max(from, span.end)
      }
      fill(start, end, ' ')
    },
    protect(start, end) {
      fill(start, end, unreadable)
    },
    tidy() {
      spans = tidySpans(text, spans)
    },
    note(code, message, start, end) {
      notes.push({ code, message, start, end })
    },
  }
}

function trim(text: string, start: number, end: number): { start: number; end: number } {
  const piece = text.slice(start, end)
  return { start: start + piece.length - piece.trimStart().length, end: end - (piece.length - piece.trimEnd().length) }
}

function tidySpans(text: string, spans: readonly Span[]): Span[] {
  const tidied = spans.toSorted((a, b) => a.start - b.start)
  let first = 0
  while (first < tidied.length) {
    let last = first
    while (tidied[last + 1] && text.slice(tidied[last]?.end, tidied[last + 1]?.start).trim() === '') last += 1
    const [head, tail] = [tidied[first] as Span, tidied[last] as Span]
    const isSyntax = tidied.slice(first, last + 1).some(({ field }) => field === 'syntax')
    if (!isSyntax) {
      // A mark between two of them belongs to the first.
      const { start, end } = widen(text, head.start, tail.end, tidied[first - 1]?.end ?? 0)
      tidied[first] = { ...head, start }
      tidied[last] = { ...(tidied[last] as Span), end }
    }
    first = last + 1
  }
  return tidied
}

function widen(text: string, start: number, end: number, floor: number): { start: number; end: number } {
  const before = text.slice(floor, start).trimEnd()
  const after = text.slice(end)
  const gap = after.length - after.trimStart().length
  if (/[(（[]$/.test(before) && /^[)）\]]/.test(after.trimStart()))
    return { start: floor + before.length - 1, end: end + gap + 1 }
  const mark = /(?:[,，、:：]|\s[-–—])$/.exec(before)
  if (mark && floor + mark.index > 0 && after.trim() === '') return { start: floor + before.length - 1, end }
  if (floor === 0 && before === '' && /^[,，:：]/.test(after.trimStart())) return { start, end: end + gap + 1 }
  return { start, end }
}
