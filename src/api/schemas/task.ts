import { limits, priorities } from '#core/task.ts'
import Type, { type Static, type TSchema } from '#json-schema.ts'
import { ignored, nullable, time, timeIn } from './common.ts'
import { RecurrenceInput, RecurrenceOutput } from './recurrence.ts'

/** The members that a client may set. */
export const writable = {
  title: Type.String({ minLength: 1, maxLength: limits.titleCharacters }),
  description: nullable(Type.String({ description: `At most ${limits.descriptionBytes} bytes of UTF-8` })),
  expiry_dt: nullable(timeIn('When it expires; read-only while expiry_date is set')),
  expiry_date: nullable(
    Type.String({
      maxLength: 10,
      description: 'The day on which it expires, in place of a time; expiry_dt is then the end of that day',
      examples: ['2027-03-01'],
    }),
  ),
  time_zone: nullable(
    Type.String({
      maxLength: 100,
      description: 'An IANA name; null for the default time zone',
      examples: ['Europe/Paris'],
    }),
  ),
  reminders: nullable(
    Type.Array(Type.String({ maxLength: 100 }), {
      maxItems: limits.reminders,
      description:
        'ISO 8601 leads before the expiry (`-P1D`: after it; `P7D@09:00`: days before, at a time of day), or RFC 3339 times; null for the default, empty for never. The leads of an expiry_date count from the day_time of the settings',
      examples: [['P7D@09:00', 'PT15M']],
    }),
  ),
  tags: Type.Array(Type.String({ minLength: 1, maxLength: limits.tagCharacters }), { maxItems: limits.tags }),
  priority: Type.Enum(priorities),
  completed_dt: nullable(timeIn('When it was completed')),
  recurrence: RecurrenceInput,
  key: nullable(
    Type.String({
      minLength: 1,
      maxLength: limits.keyCharacters,
      description: 'A name that the caller chooses, unique among the tasks of the user',
    }),
  ),
}

export const readOnly = {
  id: ignored,
  create_dt: ignored,
  update_dt: ignored,
  snoozed_until_dt: ignored,
  recurrence_text: ignored,
  occurrence: ignored,
  previous_id: ignored,
  next_id: ignored,
  version: ignored,
}

export const TaskShape = Type.Object(
  {
    id: Type.Integer(),
    uid: Type.String({ description: 'A UUIDv7, unless the caller gave another at creation' }),
    key: nullable(Type.String()),
    title: Type.String(),
    description: nullable(Type.String()),
    expiry_dt: nullable(time('When it expires; the end of expiry_date')),
    expiry_date: nullable(Type.String({ description: 'The day on which it expires; null: it expires at a time' })),
    time_zone: nullable(Type.String()),
    reminders: nullable(Type.Array(Type.String())),
    tags: Type.Array(Type.String()),
    priority: Type.Enum(priorities),
    completed_dt: nullable(time('When it was completed')),
    snoozed_until_dt: nullable(time('When it fires once more')),
    recurrence: RecurrenceOutput,
    recurrence_text: nullable(
      Type.String({ description: 'The recurrence in plain words', examples: ['every month on the 1st'] }),
    ),
    occurrence: nullable(Type.Integer({ description: 'Its number in the series, from 1' })),
    previous_id: nullable(Type.Integer({ description: 'The task whose completion created it' })),
    next_id: nullable(Type.Integer({ description: 'The task that its completion created' })),
    create_dt: time('When it was created'),
    update_dt: time('When it was last changed'),
    version: Type.Integer({ description: 'Number of changes; also the ETag' }),
  },
  { $id: 'Task' },
)

export type TaskWire = Static<typeof TaskShape>

/** A task after `Prefer: return=minimal`. */
export const TaskMarkShape = Type.Object({ id: Type.Integer(), version: Type.Integer() }, { $id: 'TaskMark' })

export type TaskMarkWire = Static<typeof TaskMarkShape>

export const TaskDraftShape = Type.Object(
  {
    ...Type.Partial(Type.Object({ ...writable, ...readOnly })).properties,
    title: writable.title,
    uid: Type.Optional(
      Type.String({ minLength: 1, maxLength: limits.uidCharacters, description: 'The default is a UUIDv7' }),
    ),
  },
  { $id: 'TaskDraft', title: 'One task', additionalProperties: false },
)

export type TaskDraftWire = Static<typeof TaskDraftShape>

/** A task in words: `text` in place of a title. Its other members win over the text. */
export const TaskTextShape = Type.Object(
  {
    ...TaskDraftShape.properties,
    text: Type.String({
      minLength: 1,
      maxLength: limits.textCharacters,
      description:
        'The task in words: a title with dates, recurrence, #tags, !priority and ~reminders, read in the zone of the user',
      examples: ['Pay rent tomorrow 9am #home !high', 'Water plants in 3 days ~2h', 'Renew passport by march'],
    }),
    title: Type.Optional(
      Type.Unsafe<undefined>({ description: 'Must be absent, because the title is what remains of the text' }),
    ),
  },
  { $id: 'TaskText', title: 'One task in words', additionalProperties: false },
)

export type TaskTextWire = Static<typeof TaskTextShape>

/** The maximum number of tasks that one request may create or change. */
const maxBulk = 1_000

/** A list may have as many tasks in words. Each takes up to 22 ms to read, while another draft takes 30 µs. */
export const maxTexts = 100

export const TaskDraftsShape = Type.Object(
  {
    tasks: Type.Array(
      Type.Unsafe<TaskDraftWire | TaskTextWire>({ oneOf: [TaskDraftShape, TaskTextShape] } as TSchema),
      {
        minItems: 1,
        maxItems: maxBulk,
        description: `All are created, or none; up to ${maxTexts} may be in words`,
      },
    ),
  },
  { $id: 'TaskDrafts', title: 'Many tasks', additionalProperties: false },
)

export type TaskDraftsWire = Static<typeof TaskDraftsShape>

export const TaskPatchShape = Type.Partial(Type.Object({ ...writable, ...readOnly, uid: ignored }), {
  $id: 'TaskPatch',
  additionalProperties: false,
})

export type TaskPatchWire = Static<typeof TaskPatchShape>

/** For a task that may exist or not: a patch, and at creation its uid. */
export const TaskUpsertShape = Type.Object(
  { ...TaskPatchShape.properties, uid: TaskDraftShape.properties.uid },
  { $id: 'TaskUpsert', additionalProperties: false },
)

export type TaskUpsertWire = Static<typeof TaskUpsertShape>

export const TaskPatchesShape = Type.Object(
  {
    tasks: Type.Array(
      Type.Object(
        {
          ...TaskPatchShape.properties,
          id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
          version: Type.Optional(
            Type.Integer({ description: 'The version that the task must have; the default is any version' }),
          ),
        },
        { additionalProperties: false },
      ),
      { maxItems: maxBulk },
    ),
  },
  { $id: 'TaskPatches', additionalProperties: false },
)

export type TaskPatchesWire = Static<typeof TaskPatchesShape>

export const SnoozeShape = Type.Object(
  {
    for: Type.Optional(
      Type.String({
        maxLength: 100,
        description: `ISO 8601 duration from now, or a time in words`,
        examples: ['PT1H', '2h', 'in 20 minutes'],
      }),
    ),
    until: Type.Optional(
      Type.String({
        maxLength: 100,
        description:
          "When to ring: RFC 3339, with an optional [zone] (RFC 9557); without an offset, local time of the task's zone. Or a time in words, read in the zone of the user; a day means their day_time",
        examples: ['2026-12-01T10:00:00+01:00', '2026-12-01T10:00', '2026-12-01', 'tomorrow 9am', 'tonight'],
      }),
    ),
  },
  { $id: 'Snooze', additionalProperties: false },
)

export type SnoozeWire = Static<typeof SnoozeShape>

/** Shapes of responses with several forms. They are documented, and tests compare them with responses; they are not checked at run time. */

/** The second form is the response to `Prefer: return=minimal`. */
export const WrittenTaskShape = Type.Union([TaskShape, TaskMarkShape])

const WrittenTasks = Type.Union([Type.Array(TaskShape), Type.Array(TaskMarkShape)], {
  description: 'With `Prefer: return=minimal` each has only its id and version',
})

export const CreatedTasksShape = Type.Object(
  { tasks: WrittenTasks },
  { $id: 'CreatedTasks', description: 'The created tasks in the order of the request' },
)

export const UpdatedTasksShape = Type.Object(
  {
    tasks: WrittenTasks,
    missing: Type.Array(Type.Integer(), { description: 'Ids without a task, which were skipped' }),
  },
  { $id: 'UpdatedTasks' },
)

export const NotModified = Type.Null({ description: 'The caller already has this version' })
