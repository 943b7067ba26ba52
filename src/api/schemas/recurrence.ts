import { maxRuleLength } from '#core/recurrence/rule.ts'
import { recurrenceFroms } from '#core/task.ts'
import Type, { type Static } from '#json-schema.ts'
import { nullable } from './common.ts'

const Rule = Type.String({
  minLength: 1,
  maxLength: maxRuleLength,
  description: 'An RRULE value of RFC 5545 (DAILY to YEARLY), with SKIP of RFC 7529',
  examples: ['FREQ=MONTHLY;BYMONTHDAY=1'],
})

/** As callers give it. */
export const RecurrenceInput = nullable(
  Type.Object(
    {
      rule: Rule,
      from: Type.Optional(
        Type.Enum(recurrenceFroms, {
          description: 'What the next occurrence is counted from',
          default: 'expiry',
          examples: ['expiry'],
        }),
      ),
    },
    {
      additionalProperties: false,
      description:
        'How the task recurs: completing it creates the next one. Needs an expiry. Together with another expiry it begins a new series; another expiry alone moves this occurrence',
    },
  ),
)

/** As it is answered. */
export const RecurrenceOutput = nullable(
  Type.Object(
    { rule: Type.String(), from: Type.Enum(recurrenceFroms) },
    { description: 'How the task recurs; null: it does not' },
  ),
)

const maxDates = 100
export const DateLimit = Type.Integer({
  minimum: 1,
  maximum: maxDates,
  default: 10,
  description: 'How many dates at most',
  examples: [10],
})

export const OccurrencesShape = Type.Object(
  {
    rule: nullable(Type.String({ description: 'The rule; null: the task does not recur' })),
    recurrence_text: nullable(
      Type.String({ description: 'The rule in plain words', examples: ['every month on the 1st'] }),
    ),
    dates: Type.Array(Type.String(), {
      description: 'In order: RFC 3339 in UTC, or days',
      examples: [['2026-12-01T09:00:00.000Z', '2027-01-01T09:00:00.000Z']],
    }),
  },
  { $id: 'Occurrences' },
)

export type OccurrencesWire = Static<typeof OccurrencesShape>

export const RecurrencePreviewShape = Type.Object(
  {
    rule: Type.Optional(Rule),
    text: Type.Optional(
      Type.String({
        maxLength: 500,
        description: 'A recurrence in words, in place of the rule',
        examples: ['every other Monday at 9am'],
      }),
    ),
    start_dt: Type.Optional(
      Type.String({
        maxLength: 100,
        description: 'The first expiry: RFC 3339, with an optional [zone]; now when there is no start',
        examples: ['1997-09-02T09:00[America/New_York]'],
      }),
    ),
    start_date: Type.Optional(
      Type.String({ maxLength: 10, description: 'The same as a day', examples: ['2027-03-01'] }),
    ),
    time_zone: Type.Optional(
      Type.String({ maxLength: 100, description: 'IANA zone; yours by default', examples: ['Europe/Paris'] }),
    ),
    limit: Type.Optional(DateLimit),
  },
  { $id: 'RecurrencePreview', additionalProperties: false },
)

export type RecurrencePreviewWire = Static<typeof RecurrencePreviewShape>
