import fc from 'fast-check'

/** Rules that the grammar accepts, of any shape: useful ones, and rules that never match. */
const weekday = fc.constantFrom('MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU')
const signed = (max: number) =>
  fc.oneof(fc.integer({ min: 1, max }), fc.integer({ min: -max, max: -1 }), fc.constantFrom(-1, 1, max))
const list = (one: fc.Arbitrary<string | number>, maxLength = 4) =>
  fc.uniqueArray(one, { minLength: 1, maxLength }).map((values) => values.join(','))
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })

export const randomRule: fc.Arbitrary<string> = fc
  .record({
    FREQ: fc.constantFrom('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'),
    INTERVAL: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 1_000 })),
    BYMONTH: maybe(list(fc.integer({ min: 1, max: 12 }))),
    BYMONTHDAY: maybe(list(signed(31))),
    BYDAY: maybe(list(weekday)),
    ordinals: fc.array(fc.oneof(fc.constant(0), signed(5), signed(53)), { minLength: 4, maxLength: 4 }),
    BYSETPOS: maybe(list(fc.oneof(signed(4), signed(366)))),
    WKST: maybe(weekday),
    SKIP: fc.constantFrom(undefined, undefined, 'OMIT', 'BACKWARD', 'FORWARD'),
  })
  .map(({ ordinals, ...parts }) => {
    const isShort = parts.FREQ === 'DAILY' || parts.FREQ === 'WEEKLY'
    const hasMonth = parts.BYMONTH !== undefined || parts.FREQ === 'MONTHLY'
    const byDay = parts.BYDAY?.split(',').map((day, i) => {
      const ordinal = isShort ? 0 : (ordinals[i] as number)
      return ordinal === 0 ? day : `${hasMonth ? (ordinal % 5) + Math.sign(ordinal) : ordinal}${day}`
    })
    const monthDays = parts.FREQ === 'WEEKLY' ? undefined : parts.BYMONTHDAY
    const isSkipping = parts.SKIP === 'BACKWARD' || parts.SKIP === 'FORWARD'
    const offered = monthDays?.split(',').filter((day) => !isSkipping || Number(day) >= -28)
    const by = { BYMONTH: parts.BYMONTH, BYMONTHDAY: offered?.join(',') || undefined, BYDAY: byDay?.join(',') }
    const hasBy = Object.values(by).some((value) => value !== undefined)
    const all = {
      ...{ FREQ: parts.FREQ, INTERVAL: parts.INTERVAL, ...by, BYSETPOS: hasBy ? parts.BYSETPOS : undefined },
      ...{ WKST: parts.WKST, RSCALE: parts.SKIP && 'GREGORIAN', SKIP: parts.SKIP },
    }
    return Object.entries(all)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${value}`)
      .join(';')
  })
