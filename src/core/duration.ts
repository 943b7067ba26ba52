const dayMs = 86_400_000

/** A little over ten years. A longer lead is a typing error, and the bound keeps date arithmetic in range. */
const maxLeadMs = 3_660 * dayMs

/** The complete syntax, because Temporal accepts a repeated unit and keeps its last number only: `PT15M1M` for one minute. */
const leadForm =
  /^P(?!$)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?!$)(?:\d+(?:[.,]\d+)?H)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?S)?)?$/

/**
 * Parses a lead: a fixed span, or one in calendar units, whose length depends on its date. Undefined for text that is not an ISO 8601
 * duration (section 4.4.3), is negative, or is longer than ten years.
 */
export function parseLead(text: string): { fixedMs: number } | { calendar: Temporal.Duration } | undefined {
  if (!leadForm.test(text)) return undefined
  try {
    const duration = Temporal.Duration.from(text)
    const roughMs =
      (duration.years * 366 + duration.months * 31 + duration.weeks * 7 + duration.days) * dayMs +
      Temporal.Duration.from({
        hours: duration.hours,
        minutes: duration.minutes,
        seconds: duration.seconds,
        milliseconds: duration.milliseconds,
      }).total('milliseconds')
    if (roughMs > maxLeadMs || duration.sign < 0) return undefined
    const isFixed = !(duration.years || duration.months || duration.weeks || duration.days)
    return isFixed ? { fixedMs: roughMs } : { calendar: duration }
  } catch {
    return undefined
  }
}

/**
 * A duration in whole ms, with days of 24 hours. Undefined for invalid leads, for zero, and for months and years, whose length depends
 * on their date.
 */
export function parseSpan(text: string): number | undefined {
  if (!parseLead(text)) return undefined
  const duration = Temporal.Duration.from(text)
  if (duration.years || duration.months) return undefined
  const ms = duration.total({ unit: 'milliseconds', relativeTo: Temporal.PlainDate.from('2000-01-01') })
  return Math.trunc(ms) || undefined
}

// Nearly all tasks share a few leads: parsing one costs 2 µs, a cache hit 20 ns. Bounded, because a lead is user input.
const leads = new Map<string, NonNullable<ReturnType<typeof parseLead>>>()

export function readLead(text: string) {
  let lead = leads.get(text)
  if (!lead) {
    lead = parseLead(text)
    if (!lead) throw new Error(`not a lead: ${text}`) // only a row that another program has changed can hold one
    if (leads.size >= 1000) leads.clear()
    leads.set(text, lead)
  }
  return lead
}
