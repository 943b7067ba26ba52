import type { TaskDraftWire, TaskTextWire } from '#api/schemas/task.ts'
import { takesRecurrence } from '#api/schemas/task-text.ts'
import { type DateTimeInput, instantOf, parseTimeZone } from '#core/date-time.ts'
import { invalidMember } from '#core/problem.ts'
import type { Defaults } from '#core/reminder.ts'
import { languageCodeOf } from '#quick-add/languages/codes.ts'
import type { QuickAdd, QuickAddTask } from '#quick-add/quick-add.ts'
import type { Db } from '#store/schema.ts'
import { getUser } from '#store/users.ts'

/** Reads texts for the operations that take words: in the zone of the caller, in a language that they prefer. */

/** The call whose text is read. */
interface Reader {
  readonly caller: { readonly userId: number }
  readonly languages: readonly string[]
}

/** A text as a draft of a create. */
export interface ReadDraft {
  readonly draft: TaskDraftWire
  /** The members that the text has set. */
  readonly members: readonly string[]
}

export interface TextReader {
  /** @throws Problem `invalid` */
  readText(text: string, reader: Reader, options?: ReadOptions): Promise<QuickAdd & { readonly timeZone: string }>
  /** @throws Problem `invalid`, at the text below `pointer` */
  readDraft(wire: TaskTextWire, reader: Reader, pointer?: string): Promise<ReadDraft>
  /** Undefined for a text that is no time. */
  readTime(text: string, reader: Reader): Promise<{ until: DateTimeInput; forMs: number } | undefined>
}

interface ReadOptions {
  readonly pointer?: string
  readonly language?: string | undefined
  readonly timeZone?: string | undefined
}

export function createTextReader({ db, now }: { db: Db; now: () => number }): TextReader {
  const defaultsOf = async ({ caller }: Reader): Promise<Defaults> => (await getUser(db, caller.userId)).defaults

  async function readText(text: string, reader: Reader, { pointer = '', ...options }: ReadOptions = {}) {
    // Loaded with the first text, because it costs 150 ms of CPU time and 33 MB (decision 15).
    const { parseQuickAdd } = await import('#quick-add/quick-add.ts')
    const timeZone = options.timeZone ?? (await defaultsOf(reader)).timeZone
    const result = parseQuickAdd(text, { now: now(), timeZone, language: options.language ?? languageOf(reader) })
    if ('error' in result) throw invalidMember(`${pointer}/text`, result.error.message.replace(/^text /, ''))
    return { ...result, timeZone }
  }

  return {
    readText,

    async readDraft(wire, reader, pointer = '') {
      if ('title' in wire) throw invalidMember(`${pointer}/text`, 'must not stand beside a title. Send one of the two')
      // An unknown zone is refused with the other members of the draft.
      const timeZone = wire.time_zone ? parseTimeZone(wire.time_zone) : undefined
      const { task } = await readText(wire.text, reader, { pointer, timeZone })
      if (task.title === '')
        throw invalidMember(`${pointer}/text`, 'must have a title: it has only dates, tags and the like')
      return withText(task, wire)
    },

    async readTime(text, reader) {
      const { parseTimeText } = await import('#quick-add/time.ts')
      const { timeZone, dayTime } = await defaultsOf(reader)
      const at = now()
      const until = parseTimeText(text, { now: at, timeZone, dayTime, language: languageOf(reader) })
      if (!until) return undefined
      // Times in words are whole seconds, so a span is counted from a whole one.
      return { until, forMs: instantOf(until, timeZone) - Math.floor(at / 1_000) * 1_000 }
    },
  }
}

const languageOf = ({ languages }: Reader) => languages.find((tag) => languageCodeOf(tag) !== undefined) ?? 'en'

/** A draft of the text, over which the members beside it win. An expiry beside it wins over its date, time and zone. */
function withText(task: QuickAddTask, wire: TaskTextWire): ReadDraft {
  const { text: _, title: __, ...beside } = wire
  const hasExpiry = beside.expiry_dt !== undefined || beside.expiry_date !== undefined
  const { expiry_dt, expiry_date, time_zone, ...others } = toMembers(task)
  const read: TaskDraftWire = hasExpiry
    ? others
    : {
        ...others,
        ...(expiry_dt !== undefined && { expiry_dt }),
        ...(expiry_date !== undefined && { expiry_date }),
        ...(time_zone !== undefined && { time_zone }),
      }
  return { draft: { ...read, ...beside }, members: Object.keys(read).filter((name) => !(name in beside)) }
}

/** The only place that decides about the recurrence of a text: it is passed on as soon as a create takes that member. */
export function toMembers(task: QuickAddTask): Omit<QuickAddTask, 'recurrence'> {
  const { recurrence, ...members } = task
  return takesRecurrence && recurrence ? Object.assign(members, { recurrence }) : members
}
