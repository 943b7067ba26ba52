import type { OccurrencesWire } from '#api/schemas/recurrence.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { describeRule } from '#core/recurrence/describe.ts'
import { parseRule } from '#core/recurrence/rule.ts'
import type { OccurrenceDate } from '#core/recurring-task.ts'
import type { RecurrenceFrom, Task } from '#core/task.ts'
import { isoText } from './time.ts'

type SeriesFields = Pick<Task, 'recurrenceRule' | 'recurrenceFrom' | 'timeZone' | 'expiryWall'>

export const toRecurrenceWire = ({ recurrenceRule, recurrenceFrom }: SeriesFields): TaskWire['recurrence'] =>
  recurrenceRule === null ? null : { rule: recurrenceRule, from: recurrenceFrom ?? 'expiry' }

const texts = new Map<string, string>()

/** The rule in plain words. Kept, because a list of recurring tasks has few different rules, and each takes 10 µs. */
export function ruleText(rule: string, from: RecurrenceFrom, timeZone: string): string {
  const name = `${from} ${timeZone} ${rule}`
  let text = texts.get(name)
  if (text === undefined) {
    if (texts.size >= 1_000) texts.clear()
    text = describeStored(rule, from, timeZone)
    texts.set(name, text)
  }
  return text
}

/** Another program may have stored something else than a rule. It is shown as it is. */
function describeStored(rule: string, from: RecurrenceFrom, timeZone: string): string {
  try {
    return describeRule(parseRule(rule), { from, timeZone })
  } catch {
    return rule
  }
}

/** The zone only decides the date of an UNTIL in UTC. */
export function recurrenceText({ recurrenceRule, recurrenceFrom, timeZone, expiryWall }: SeriesFields): string | null {
  if (recurrenceRule === null) return null
  const zone = timeZone ?? expiryWall?.slice(expiryWall.indexOf('[') + 1, -1) ?? 'UTC'
  return ruleText(recurrenceRule, recurrenceFrom ?? 'expiry', zone)
}

export const toDatesWire = (dates: readonly OccurrenceDate[]): OccurrencesWire['dates'] =>
  dates.map((one) => ('date' in one ? one.date : isoText(one.at)))
