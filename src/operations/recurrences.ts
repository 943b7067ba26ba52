import * as actions from '#actions/tasks.ts'
import type { RecurrencePreviewWire } from '#api/schemas/recurrence.ts'
import { isStorable, parseTimeZone } from '#core/date-time.ts'
import { invalidMember, Problem } from '#core/problem.ts'
import type { Local } from '#core/recurrence/expand.ts'
import { RuleError } from '#core/recurrence/rule.ts'
import { datesOf, type PreviewRequest, previewDates } from '#core/recurring-task.ts'
import type { Recurrence } from '#core/task.ts'
import type { Db } from '#store/schema.ts'
import { getTask } from '#store/tasks.ts'
import { recurrenceText, ruleText, toDatesWire } from '#wire/recurrence.ts'
import { parseTime, timeHint } from '#wire/time.ts'
import type { Handlers } from './call.ts'
import { taskResult } from './task-result.ts'

type Start = Pick<RecurrencePreviewWire, 'start_dt' | 'start_date' | 'time_zone'>

/** The dates of recurring tasks, and of rules that no task has. */
export function recurrenceOperations({ db, now }: { db: Db; now: () => number }) {
  return {
    async skipTask(call) {
      const target = { id: call.params.id, ...call.condition }
      return taskResult(call, await actions.skipTask(call.ctx, call.caller, target))
    },

    async listOccurrences({ params, query, caller }) {
      const task = await getTask(db, caller.userId, params.id)
      const dates = datesOf(task, caller.defaults, now(), query.limit)
      return {
        body: { rule: task.recurrenceRule, recurrence_text: recurrenceText(task), dates: toDatesWire(dates) },
      }
    },

    async previewRecurrence({ body, caller }) {
      const at = now()
      const read = await readRecurrence(body, caller.defaults.timeZone, at)
      const request = { ...read.recurrence, ...readStart(read.start, caller.defaults.timeZone, at) }
      const { rule, from, timeZone } = request
      const dates = datesOrRefusal(request, body.limit ?? 10, body.rule === undefined ? '/text' : '/rule')
      return { body: { rule, recurrence_text: ruleText(rule, from, timeZone), dates: toDatesWire(dates) } }
    },
  } satisfies Handlers<'skipTask' | 'listOccurrences' | 'previewRecurrence'>
}

/** The rule of a request, or that of its text with the start that the text names. A start beside the text counts more. */
async function readRecurrence(
  { rule, text, limit: _, ...start }: RecurrencePreviewWire,
  usersZone: string,
  now: number,
): Promise<{ recurrence: Recurrence; start: Start }> {
  if ((rule === undefined) === (text === undefined))
    throw new Problem('invalid', 'Either "rule" or "text" must be given.', {
      faults: [{ at: { pointer: '' }, detail: 'must have either "rule" or "text"' }],
    })
  if (rule !== undefined) return { recurrence: { rule, from: 'expiry' }, start }
  // Loaded with the first such text: it takes 30 ms and 6 MB.
  const { parseQuickAdd } = await import('#quick-add/quick-add.ts')
  const timeZone = (start.time_zone === undefined ? undefined : parseTimeZone(start.time_zone)) ?? usersZone
  const read = parseQuickAdd(text as string, { now, timeZone })
  if ('error' in read) throw invalidMember('/text', 'must have at most 500 characters')
  const { recurrence, expiry_dt, expiry_date, time_zone } = read.task
  if (!recurrence) throw invalidMember('/text', 'names no recurrence, like "every other Monday"')
  if (start.start_dt !== undefined || start.start_date !== undefined) return { recurrence, start }
  return {
    recurrence,
    start: {
      ...(expiry_dt !== undefined && { start_dt: expiry_dt }),
      ...(expiry_date !== undefined && { start_date: expiry_date }),
      ...((time_zone ?? start.time_zone) !== undefined && { time_zone: time_zone ?? (start.time_zone as string) }),
    },
  }
}

/** @throws Problem `invalid` */
function readStart({ start_dt, start_date, time_zone }: Start, usersZone: string, now: number) {
  const zone = time_zone === undefined ? undefined : parseTimeZone(time_zone)
  if (time_zone !== undefined && zone === undefined)
    throw invalidMember('/time_zone', `is not a time zone of the IANA database: «${time_zone}»`)
  if (start_dt !== undefined && start_date !== undefined)
    throw invalidMember('/start_date', 'and start_dt exclude each other')
  if (start_date !== undefined) return { start: readDay(start_date), timeZone: zone ?? usersZone }
  const input = start_dt === undefined ? { at: now } : parseTime(start_dt)
  if (!input) throw invalidMember('/start_dt', timeHint)
  if (zone !== undefined && input.timeZone !== undefined && zone !== input.timeZone)
    throw invalidMember('/start_dt', `names the zone ${input.timeZone}, but time_zone is ${zone}`)
  const timeZone = input.timeZone ?? zone ?? usersZone
  const zoned =
    'local' in input
      ? input.local.toZonedDateTime(timeZone)
      : Temporal.Instant.fromEpochMilliseconds(input.at).toZonedDateTimeISO(timeZone)
  if (!isStorable(zoned.epochMilliseconds)) throw invalidMember('/start_dt', 'must lie between the years 1 and 9999')
  return { start: 'local' in input ? input.local : zoned.toPlainDateTime(), timeZone }
}

function readDay(text: string): Local {
  try {
    const day = /^\d{4}-\d\d-\d\d$/.test(text) ? Temporal.PlainDate.from(text) : undefined
    if (day && day.year >= 1 && Temporal.PlainDate.compare(day, '9999-12-28') <= 0) return day
  } catch {
    // not a day of the calendar
  }
  throw invalidMember('/start_date', 'must be a day between the years 1 and 9999, like "2027-03-01"')
}

/** @throws Problem `invalid` */
function datesOrRefusal(request: PreviewRequest, limit: number, pointer: string) {
  try {
    return previewDates(request, limit)
  } catch (error) {
    if (!(error instanceof RuleError)) throw error
    throw invalidMember(pointer, error.message)
  }
}
