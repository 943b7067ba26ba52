import { createTask } from '#actions/tasks.ts'
import type { ParsedTaskWire } from '#api/schemas/task-text.ts'
import { takesRecurrence } from '#api/schemas/task-text.ts'
import { instantOf } from '#core/date-time.ts'
import { formatFaults, Problem } from '#core/problem.ts'
import { type Local, occurrences } from '#core/recurrence/expand.ts'
import { parseRule } from '#core/recurrence/rule.ts'
import type { QuickAddTask } from '#quick-add/quick-add.ts'
import { toDraft } from '#wire/task.ts'
import { isoText } from '#wire/time.ts'
import { type Handlers, withPreparation } from './call.ts'
import { pathOf, taskResult } from './task-result.ts'
import { type ReadDraft, type TextReader, toMembers } from './text-reader.ts'

const noRecurrence = 'A create does not take a recurrence yet, so it is left out.'

/** Tasks in words. Lists with such drafts are in tasks.ts. */
export function taskTextOperations({ texts }: { texts: TextReader }) {
  return {
    createTaskFromText: withPreparation(
      (call) => texts.readDraft(call.body, call),
      (call, read) =>
        atText([{ pointer: '', ...read }], async () => {
          const task = await createTask(call.ctx, call.caller, toDraft(read.draft))
          return taskResult(call, task, { location: pathOf(task) })
        }),
    ),

    async parseTask({ body: { text, language }, caller, languages }) {
      const { task, spans, notes, timeZone } = await texts.readText(text, { caller, languages }, { language })
      const rule = task.recurrence && !takesRecurrence ? spans.filter(({ field }) => field === 'recurrence') : []
      const leftOut = rule.map(({ start, end }) => ({ code: 'recurrence_left_out', message: noRecurrence, start, end }))
      const dates = datesOf(task, timeZone)
      return { body: { task: toMembers(task), spans: [...spans], notes: [...notes, ...leftOut], dates } }
    },
  } satisfies Handlers<'createTaskFromText' | 'parseTask'>
}

/**
 * Faults of members that a text has set are faults of the text: the caller has not sent these members.
 * @throws what `action` throws
 */
export async function atText<T>(
  reads: readonly (Pick<ReadDraft, 'members'> & { readonly pointer: string })[],
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (reads.length === 0 || !(error instanceof Problem) || !error.extras.faults) throw error
    const faults = error.extras.faults.map((fault) => {
      for (const { pointer, members } of reads)
        for (const member of members) {
          if ('pointer' in fault.at && `${fault.at.pointer}/`.startsWith(`${pointer}/${member}/`))
            return { at: { pointer: `${pointer}/text` }, detail: `sets ${member}, which ${fault.detail}` }
        }
      return fault
    })
    throw new Problem(error.kind, formatFaults(faults), { ...error.extras, faults })
  }
}

/** Enough to see the pattern of a recurrence. */
const maxDates = 3

/** The expiry, and the dates that follow it. The rules of texts are always valid: test/property/quick-add.test.ts. */
function datesOf(task: QuickAddTask, userZone: string): ParsedTaskWire['dates'] {
  const timeZone = task.time_zone ?? userZone
  const start = startOf(task, timeZone)
  if (!start) return []
  const dates = [formatDate(start, instantOfStart(task, start, timeZone))]
  if (!task.recurrence) return dates
  const series = { rule: parseRule(task.recurrence.rule), start, timeZone }
  const next = occurrences(series, { limit: maxDates - 1, after: { local: start } })
  return [...dates, ...next.map(({ local, at }) => formatDate(local, at))]
}

function startOf({ expiry_dt: time, expiry_date: day }: QuickAddTask, timeZone: string): Local | undefined {
  if (day !== undefined) return Temporal.PlainDate.from(day)
  if (time?.endsWith('Z')) return Temporal.Instant.from(time).toZonedDateTimeISO(timeZone).toPlainDateTime()
  return time === undefined ? undefined : Temporal.PlainDateTime.from(time)
}

function instantOfStart({ expiry_dt: time }: QuickAddTask, start: Local, timeZone: string): number {
  if (time?.endsWith('Z')) return Temporal.Instant.from(time).epochMilliseconds
  return 'hour' in start ? instantOf({ local: start }, timeZone) : 0
}

/** A day stays one, a time becomes its instant. */
const formatDate = (local: Local, at: number) => ('hour' in local ? isoText(at) : local.toString())
