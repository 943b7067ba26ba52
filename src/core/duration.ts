const dayMs = 86_400_000

/** A little over ten years. A longer lead is a typing error, and the bound keeps date arithmetic in range. */
const maxLeadMs = 3_660 * dayMs

/**
 * The complete syntax, because Temporal accepts a repeated unit and keeps its last number only: `PT15M1M` for one minute. The sign is that of
 * ISO 8601-2. A time of day may follow whole days: it is an extension of ours.
 */
const leadForm =
  /^(?<span>-?P(?!$|@)(?<date>(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?)(?:T(?!$)(?:\d+(?:[.,]\d+)?H)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?S)?)?)(?:@(?<time>(?:[01]\d|2[0-3]):[0-5]\d))?$/

/** How long before an expiry a reminder fires; negative: after it. */
export type Lead =
  | { readonly fixedMs: number }
  /** `timeOfDay`: whole days before, at this time, whatever the time of the expiry. */
  | { readonly calendar: Temporal.Duration; readonly timeOfDay?: Temporal.PlainTime }

/**
 * Parses a lead: a fixed span, or one in calendar units, whose length depends on its date. `-P1D` is a day after the expiry, `P7D@09:00` seven
 * days before it at nine. Undefined for text that is neither, and for spans of more than ten years.
 */
export function parseLead(text: string): Lead | undefined {
  const { span, date, time } = leadForm.exec(text)?.groups ?? {}
  if (span === undefined) return undefined
  const isWholeDays = date !== '' && !span.includes('T')
  if (time !== undefined && !isWholeDays) return undefined
  try {
    const duration = Temporal.Duration.from(span)
    const roughMs =
      (duration.years * 366 + duration.months * 31 + duration.weeks * 7 + duration.days) * dayMs +
      Temporal.Duration.from({
        hours: duration.hours,
        minutes: duration.minutes,
        seconds: duration.seconds,
        milliseconds: duration.milliseconds,
      }).total('milliseconds')
    if (Math.abs(roughMs) > maxLeadMs) return undefined
    if (time !== undefined) return { calendar: duration, timeOfDay: Temporal.PlainTime.from(time) }
    const isFixed = !(duration.years || duration.months || duration.weeks || duration.days)
    return isFixed ? { fixedMs: roughMs } : { calendar: duration }
  } catch {
    return undefined
  }
}

/** The error message for a lead that cannot be read. */
export const leadHint =
  'must be an ISO 8601 duration of at most ten years before the expiry, like "PT15M" or "P1D", after it, like "-P1D", or days with a time of day, like "P7D@09:00"'

/**
 * A duration in whole ms, with days of 24 hours. Undefined for invalid leads, for zero, and for months and years, whose length depends
 * on their date.
 */
export function parseSpan(text: string): number | undefined {
  if (!parseLead(text) || /[-@]/.test(text)) return undefined
  const duration = Temporal.Duration.from(text)
  if (duration.years || duration.months) return undefined
  const ms = duration.total({ unit: 'milliseconds', relativeTo: Temporal.PlainDate.from('2000-01-01') })
  return Math.trunc(ms) || undefined
}

// Nearly all tasks share a few leads: parsing one costs 2 µs, a cache hit 20 ns. Bounded, because a lead is user input.
const leads = new Map<string, Lead>()

export function readLead(text: string): Lead {
  let lead = leads.get(text)
  if (!lead) {
    lead = parseLead(text)
    if (!lead) throw new Error(`not a lead: ${text}`) // only a row that another program has changed can hold one
    if (leads.size >= 1000) leads.clear()
    leads.set(text, lead)
  }
  return lead
}
