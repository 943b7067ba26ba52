const dayMs = 86_400_000

/** Ten years and a bit: longer leads are typing errors, and a bound keeps date arithmetic in range. */
const maxLeadMs = 3_660 * dayMs

/** In full, since Temporal takes a unit that is there twice, and only its last number: `PT15M1M` for one minute. */
const leadForm =
  /^P(?!$)(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?!$)(?:\d+(?:[.,]\d+)?H)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?S)?)?$/

/**
 * The reading of a lead: a fixed span, or one in calendar units, whose length depends on where in the year it is taken.
 * Undefined when the text is not an ISO 8601 duration (section 4.4.3), is negative, or is longer than ten years.
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
 * A duration as whole ms; days of 24 hours. Undefined for what is no lead either, for none at all, and for calendar units,
 * whose length nothing here decides.
 */
export function parseSpan(text: string): number | undefined {
  if (!parseLead(text)) return undefined
  const duration = Temporal.Duration.from(text)
  if (duration.years || duration.months) return undefined
  const ms = duration.total({ unit: 'milliseconds', relativeTo: Temporal.PlainDate.from('2000-01-01') })
  return Math.trunc(ms) || undefined
}

// Nearly all tasks share a handful of leads: reading one costs 2 µs, finding it again 20 ns. Bounded, since a lead is input.
// Nearly all tasks share a handful of leads: reading one costs 2 µs, finding it again 20 ns. Bounded, since a lead is input.
const leads = new Map<string, NonNullable<ReturnType<typeof parseLead>>>()

export function readLead(text: string) {
  let lead = leads.get(text)
  if (!lead) {
    lead = parseLead(text)
    if (!lead) throw new Error(`not a lead: ${text}`) // only a row changed by another hand can hold one
    if (leads.size >= 1000) leads.clear()
    leads.set(text, lead)
  }
  return lead
}
