import { limits, priorities } from '#core/task.ts'
import type { SortColumn } from '#core/task-query.ts'
import Type, { type Static } from '#json-schema.ts'
import { IdList, refTo } from './common.ts'
import { TaskShape } from './task.ts'

/** The query and the page of a list of tasks. */

/** The maximum number of tasks in one response. If there are more, it has a cursor. */
export const maxTasks = 10_000

/** A cursor may hold a title of 500 characters, each of which may be six of JSON. */
const maxCursorLength = 5_000

export const sortNames = {
  id: 'id',
  expiry_dt: 'expiry',
  priority: 'priority',
  title: 'title',
  create_dt: 'created',
  update_dt: 'updated',
} as const satisfies Record<string, SortColumn>

/** `10,000`. Not by Intl, whose tables are 30 ms of a start. */
const inThousands = (count: number) => String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')

export const Tag = Type.String({ minLength: 1, maxLength: limits.tagCharacters })

export const timeIn = (description: string) =>
  Type.Optional(
    Type.String({
      maxLength: 100,
      description: `${description}; RFC 3339, without an offset in the time zone of the settings`,
      examples: ['2026-12-01T09:00:00Z'],
    }),
  )

/** A task must match every given filter. */
export const TaskQueryShape = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: maxTasks,
        description: `The maximum number of tasks; the default is ${inThousands(maxTasks)}`,
        examples: [100],
      }),
    ),
    offset: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The number of tasks to skip. A cursor is faster, and never misses a task',
        examples: [0],
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        maxLength: maxCursorLength,
        description: 'The `next_cursor` of the previous page; filters and sort must be the same',
        examples: ['aWQ6MTAw'],
      }),
    ),
    sort: Type.Optional(
      Type.String({
        maxLength: 100,
        description: `Keys separated by commas: ${Object.keys(sortNames).join(', ')}. A leading - sorts in descending order. Ties are broken by id, in the direction of the last key; null comes last`,
        examples: ['expiry_dt,-priority'],
      }),
    ),
    status: Type.Optional(
      Type.Enum(['all', 'open', 'expired', 'completed'], {
        description: '`expired`: open tasks whose expiry has passed',
        examples: ['open'],
      }),
    ),
    tag: Type.Optional(
      Type.Union([Tag, Type.Array(Tag, { maxItems: limits.tags })], {
        description: 'Only tasks with this tag; given several times, with all of them',
        examples: ['home'],
      }),
    ),
    priority: Type.Optional(Type.Enum(priorities, { description: 'Only tasks of this priority', examples: ['high'] })),
    q: Type.Optional(
      Type.String({
        maxLength: 200,
        description:
          'Only tasks with all these words in title or description. A word also matches the beginning of a longer one. Words are runs of letters and digits, without regard to case and width; each Han or kana character is a word. A text without words is refused',
        examples: ['renew pass'],
      }),
    ),
    expires_after: timeIn('Only tasks that expire at this time or later'),
    expires_before: timeIn('Only tasks that expire before this time'),
    updated_after: timeIn('Only tasks that changed after this time'),
    ids: Type.Optional(IdList),
    count: Type.Optional(
      Type.Enum(['true', 'false'], { description: 'Whether to return `total`', examples: ['true'] }),
    ),
  },
  { additionalProperties: false },
)

export type TaskQueryWire = Static<typeof TaskQueryShape>

export const TaskPageShape = Type.Object(
  {
    tasks: Type.Array(refTo(TaskShape)),
    next_cursor: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'The cursor of the next page; null on the last one',
    }),
    total: Type.Optional(
      Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        description:
          'Number of matching tasks, with `count=true`; null if each word of `q` begins a word of more than 10,000 tasks',
      }),
    ),
  },
  { $id: 'TaskPage' },
)

export const TagListShape = Type.Object(
  {
    tags: Type.Array(
      Type.Object({
        name: Type.String(),
        open: Type.Integer({ description: 'Number of tasks with this tag that are not completed' }),
        expired: Type.Integer({ description: 'Number of those that have expired' }),
      }),
    ),
  },
  { $id: 'TagList' },
)

export type TagListWire = Static<typeof TagListShape>
