import { limits } from '#core/task.ts'
import Type, { type Static, type TSchema } from '#json-schema.ts'
import { TaskDraftShape, type TaskDraftWire, TaskTextShape, writable } from './task.ts'

/** Tasks in words: what a text means, without creating the task. */

/** Whether a create takes the recurrence that a text may name. Until tasks have that member, it is left out, and parseTask notes it. */
export const takesRecurrence = 'recurrence' in TaskDraftShape.properties

export const TaskTextQueryShape = Type.Object(
  {
    text: TaskTextShape.properties.text,
    language: Type.Optional(
      Type.String({
        maxLength: 35,
        description: 'A BCP 47 tag, in place of Accept-Language; en, de, fr, es and zh are known',
        examples: ['en-GB', 'de'],
      }),
    ),
  },
  { $id: 'TaskTextQuery', additionalProperties: false },
)

/** The members that a text may set, besides the title. */
const readable = ['expiry_dt', 'expiry_date', 'time_zone', 'recurrence', 'reminders', 'tags', 'priority'] as const
type Readable = Extract<keyof TaskDraftWire, (typeof readable)[number]>
/** A text sets no member to null. */
type TextMembers = { [Member in Readable]?: NonNullable<TaskDraftWire[Member]> }

/** Without null, which only clears a member. */
function notNull(schema: TSchema): TSchema {
  const { type } = schema as { type?: string | readonly string[] }
  return Array.isArray(type) ? ({ ...schema, type: type[0] } as TSchema) : schema
}

const textMembers = Object.fromEntries(
  Object.entries(writable)
    .filter(([name]) => readable.some((one) => one === name))
    .map(([name, schema]) => [name, Type.Optional(notNull(schema))]),
)

const ReadTaskShape = Type.Unsafe<TextMembers & { title: string }>(
  Type.Object(
    {
      title: Type.String({
        maxLength: limits.titleCharacters,
        description: 'What remains of the text. A create refuses an empty one',
      }),
      ...textMembers,
    },
    { description: 'As a create takes it. A member that the text does not set is absent' },
  ),
)

const Offset = Type.Integer({ minimum: 0, description: 'In UTF-16 code units of the text' })

export const ParsedTaskShape = Type.Object(
  {
    task: ReadTaskShape,
    spans: Type.Array(
      Type.Object({
        start: Offset,
        end: Offset,
        field: Type.Enum([
          'tags',
          'priority',
          'reminders',
          'expiry_dt',
          'expiry_date',
          'time_zone',
          'recurrence',
          'syntax',
        ]),
      }),
      { description: 'The parts of the text that were read, in order, with the member that each sets' },
    ),
    notes: Type.Array(
      Type.Object({
        code: Type.String({ description: 'More may be added', examples: ['second_date', 'no_title'] }),
        message: Type.String({ description: 'In English, for people' }),
        start: Offset,
        end: Offset,
      }),
      { description: 'Parts that may have been meant otherwise than they were read' },
    ),
    dates: Type.Array(Type.String({ examples: ['2026-12-01T09:00:00.000Z', '2026-12-01'] }), {
      maxItems: 3,
      description: 'The expiry, and the next two of a recurrence: instants in UTC, or days',
    }),
  },
  { $id: 'ParsedTask' },
)

export type ParsedTaskWire = Static<typeof ParsedTaskShape>
