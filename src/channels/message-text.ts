import { formatSpan, type Message, type MessageItem } from '#core/notification.ts'

/**
 * A message as people read it, whatever the medium. A kind takes from it what its medium has a place for and escapes it by the
 * medium's rules: here is plain text, that starts no line, moves no cursor and turns no reading direction of its own accord.
 */
export interface MessageText {
  /** One line: `Renew passport expires in 15 min`, or `3 tasks: Renew passport, …`. */
  readonly subject: string
  /** One for each task, in the order in which they rang. */
  readonly entries: readonly [Entry, ...Entry[]]
  readonly urgency: Urgency
}

export type Urgency = 'low' | 'normal' | 'high'

export interface Entry {
  readonly taskId: number
  /** One line. */
  readonly title: string
  /** `expires in 15 min` */
  readonly state: string
  /** `Tue, 1 Dec 2026, 10:00 (Europe/Paris)` */
  readonly when: string
  /** `This notification is 2 h late.`, or null. */
  readonly late: string | null
  /** Some lines, cut where it is long; empty where there is none. */
  readonly description: string
  readonly tags: readonly string[]
  /** What a person can do about it, each by a button where the medium has some: a POST to `url` acts, a GET asks first. */
  readonly actions: readonly Action[]
}

export interface Action {
  readonly label: string
  readonly url: string
}

/** Characters of a description: more is read in the task itself. */
const maxDescriptionLength = 1_000
const namedInSubject = 3

export function toMessageText(message: Message): MessageText {
  const entry = toEntry(message, message.sentAt)
  const others = message.others.map((item) => toEntry(item, message.sentAt))
  const all: readonly MessageItem[] = [message, ...message.others]
  const named = [entry, ...others].slice(0, namedInSubject).map(({ title }) => title)
  const more = all.length > named.length ? ', …' : ''
  return {
    subject: others.length === 0 ? `${entry.title} ${entry.state}` : `${all.length} tasks: ${named.join(', ')}${more}`,
    entries: [entry, ...others],
    urgency: all.some(isUrgent) ? 'high' : all.every(({ task }) => task.priority === 'low') ? 'low' : 'normal',
  }
}

function toEntry({ notification, task, timeZone, links }: MessageItem, sentAt: number): Entry {
  return {
    taskId: task.id,
    title: oneLine(task.title),
    state: formatState(notification.expiryAt - sentAt),
    when: formatTime(notification.expiryAt, timeZone),
    late:
      notification.timing === 'late'
        ? `This notification is ${formatLateness(sentAt - notification.dueAt)} late.`
        : null,
    description: cut(harmless(task.description ?? '').trim(), maxDescriptionLength),
    tags: task.tags.map(oneLine),
    actions: links
      ? [
          { label: 'Done', url: links.complete },
          { label: 'Snooze 1 h', url: links.snooze },
          { label: 'Seen', url: links.acknowledge },
        ]
      : [],
  }
}

const isUrgent = ({ kind, notification, task }: MessageItem) =>
  task.priority === 'high' || (task.priority !== 'low' && (kind === 'expired' || notification.timing === 'late'))

/** @param ms until the expiry; below zero after it */
function formatState(ms: number): string {
  if (Math.abs(ms) < 1_000) return 'expires now'
  return ms > 0 ? `expires in ${formatRounded(ms)}` : `expired ${formatRounded(-ms)} ago`
}

const formatLateness = (ms: number) => formatRounded(Math.max(ms, 1_000))

/** To the second below a minute, to the minute above: «in 14 min 59 s» is what nobody wants to read of a quarter of an hour. */
function formatRounded(ms: number): string {
  const unit = ms < 59_500 ? 1_000 : 60_000
  return formatSpan(Math.round(ms / unit) * unit)
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatTime(at: number, timeZone: string): string {
  let format = formats.get(timeZone)
  if (!format) {
    // In English, as all of these words are; a day before its month, which nobody can take for another day.
    const style = { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' } as const
    format = new Intl.DateTimeFormat('en-GB', { ...style, hour: '2-digit', minute: '2-digit', timeZone })
    formats.set(timeZone, format)
  }
  return `${format.format(at)} (${timeZone})`
}

/** Control characters but for the line feed, and what embeds or overrides a reading direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const harmful = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

function harmless(text: string): string {
  return text
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replaceAll('\t', ' ')
    .replace(harmful, '')
}

/** Text as one line, with nothing in it that a terminal, a mail header or a chat would obey. */
export function oneLine(text: string): string {
  return harmless(text).replace(/\s+/g, ' ').trim()
}

/** At most so many characters (UTF-16 code units, as all these media count), never half of a surrogate pair, with … where it was cut. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text
  const end = /[\ud800-\udbff]/.test(text[max - 2] ?? '') ? max - 2 : max - 1
  return `${text.slice(0, end).trimEnd()}…`
}

/** A letter as plain text, for media that know no other: an entry a paragraph, without its first line where the subject says it. */
export function plainText({ entries }: MessageText): string {
  return entries
    .map(({ title, state, when, late, description }) => {
      const head = entries.length === 1 ? when : `${title} ${state}: ${when}`
      return [head, late, description].filter(Boolean).join('\n')
    })
    .join('\n\n')
}
