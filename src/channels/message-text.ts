import { formatSpan, type Message, type MessageItem } from '#core/notification.ts'

/**
 * A message as plain text for people, independent of the medium. Each kind takes the parts that its medium can show and escapes them. The
 * text here contains no control characters: it starts no line, moves no cursor and overrides no reading direction.
 */
export interface MessageText {
  /** One line: `Renew passport expires in 15 min`, or `3 tasks: Renew passport, …`. */
  readonly subject: string
  /** One for each task, in the order in which their reminders fired. */
  readonly entries: readonly [Entry, ...Entry[]]
  readonly urgency: Urgency
}

export type Urgency = 'low' | 'normal' | 'high'

export interface Entry {
  readonly taskId: number
  /** One line. */
  readonly title: string
  /** `expires in 15 min`, `expires tomorrow` */
  readonly state: string
  /** `Tue, 1 Dec 2026, 10:00 (Europe/Paris)`, or a day: `Tue, 1 Dec 2026` */
  readonly when: string
  /** `This notification is 2 h late.`, or null. */
  readonly late: string | null
  /** Several lines, truncated; empty without a description. */
  readonly description: string
  readonly tags: readonly string[]
  /** Actions on the task, as buttons if the medium has them. A POST to `url` acts; a GET asks for confirmation first. */
  readonly actions: readonly Action[]
}

export interface Action {
  readonly label: string
  readonly url: string
}

/** Characters of a description. The task itself has the rest. */
const maxDescriptionLength = 1_000
const maxTitlesInSubject = 3

export function toMessageText(message: Message): MessageText {
  const entry = toEntry(message, message.sentAt)
  const others = message.others.map((item) => toEntry(item, message.sentAt))
  const all: readonly MessageItem[] = [message, ...message.others]
  const named = [entry, ...others].slice(0, maxTitlesInSubject).map(({ title }) => title)
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
    state:
      task.expiryDate === null
        ? formatState(notification.expiryAt - sentAt)
        : formatDayState(task.expiryDate, sentAt, timeZone),
    when: task.expiryDate === null ? formatTime(notification.expiryAt, timeZone) : formatDay(task.expiryDate),
    late:
      notification.timing === 'late'
        ? `This notification is ${formatLateness(sentAt - notification.dueAt)} late.`
        : null,
    description: truncate(sanitize(task.description ?? '').trim(), maxDescriptionLength),
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

/** @param date the day of the expiry, `2027-03-01` */
function formatDayState(date: string, sentAt: number, timeZone: string): string {
  const today = Temporal.Instant.fromEpochMilliseconds(sentAt).toZonedDateTimeISO(timeZone).toPlainDate()
  const { days } = today.until(date)
  if (days === 0) return 'expires today'
  if (days === 1) return 'expires tomorrow'
  if (days === -1) return 'expired yesterday'
  return days > 0 ? `expires in ${days} days` : `expired ${-days} days ago`
}

const formatLateness = (ms: number) => formatRounded(Math.max(ms, 1_000))

/** Rounds to seconds below a minute, to minutes above: a quarter of an hour must not read «in 14 min 59 s». */
function formatRounded(ms: number): string {
  const unit = ms < 59_500 ? 1_000 : 60_000
  return formatSpan(Math.round(ms / unit) * unit)
}

// English, like all of the text. The month has a name, so that no reader can confuse it with the day.
const dayStyle = { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' } as const
const dayFormat = new Intl.DateTimeFormat('en-GB', { ...dayStyle, timeZone: 'UTC' })

const formatDay = (date: string) => dayFormat.format(Date.parse(date))

const formats = new Map<string, Intl.DateTimeFormat>()

function formatTime(at: number, timeZone: string): string {
  let format = formats.get(timeZone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', { ...dayStyle, hour: '2-digit', minute: '2-digit', timeZone })
    formats.set(timeZone, format)
  }
  return `${format.format(at)} (${timeZone})`
}

/** Control characters except the line feed, and characters that embed or override a reading direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this removes control characters
const unsafeCharacters = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

function sanitize(text: string): string {
  return text
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replaceAll('\t', ' ')
    .replace(unsafeCharacters, '')
}

/** Text as one line, without characters that control a terminal, a mail header or a chat. */
export function oneLine(text: string): string {
  return sanitize(text).replace(/\s+/g, ' ').trim()
}

/** At most `max` characters (UTF-16 code units, as all these media count), with … at the end. Never splits a surrogate pair. */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text
  const end = /[\ud800-\udbff]/.test(text[max - 2] ?? '') ? max - 2 : max - 1
  return `${text.slice(0, end).trimEnd()}…`
}

/** The body as plain text, one paragraph an entry. A single entry has no title line, since the subject has it. */
export function plainText({ entries }: MessageText): string {
  return entries
    .map(({ title, state, when, late, description }) => {
      const head = entries.length === 1 ? when : `${title} ${state}: ${when}`
      return [head, late, description].filter(Boolean).join('\n')
    })
    .join('\n\n')
}
