/** The texts of what quick add has read. They are loaded with the parser. */

const units = { W: ['week', 'weeks'], D: ['day', 'days'], H: ['hour', 'hours'], M: ['minute', 'minutes'] } as const

export const text = {
  title: 'Title: ',
  recognised: 'Recognised',
  summary: (labels: readonly string[]) => `Recognised: ${labels.join('; ')}`,
  dates: 'Next dates',
  keepAsText: (piece: string) => `Keep ${piece} as text`,
  inZone: (clock: string, zone: string) => `${clock} in ${zone}`,
  priorities: {
    none: 'No priority',
    low: 'Low priority',
    medium: 'Medium priority',
    high: 'High priority',
  },
  before: (count: number, unit: keyof typeof units) => `${count} ${units[unit][count === 1 ? 0 : 1]} before`,
  noTitle: 'Write a title too: this is only a date, a tag or the like.',
  noExpiry: 'Reminders come before an expiry, and this task has none.',
  tooLong: (most: number, count: number) => `A task has at most ${most} characters. This text has ${count}.`,
}
