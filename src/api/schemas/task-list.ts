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
      description: `${description}; RFC 3339, and without an offset local time of the server's zone`,
      examples: ['2026-12-01T09:00:00Z'],
    }),
  )

/** All that is said must be true of a task. */
export const TaskQueryShape = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: maxTasks,
        description: `How many at most; ${inThousands(maxTasks)} when absent`,
        examples: [100],
      }),
    ),
    offset: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'How many are passed over first; a cursor is faster, and misses none',
        examples: [0],
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        maxLength: maxCursorLength,
        description: 'A `next_cursor`, with the same filter and sort',
        examples: ['aWQ6MTAw'],
      }),
    ),
    sort: Type.Optional(
      Type.String({
        maxLength: 100,
        description: `Keys of ${Object.keys(sortNames).join(', ')}, separated by commas; - in front descends. Ties are broken by id, in the direction of the last key; null comes last`,
        examples: ['expiry_dt,-priority'],
      }),
    ),
    status: Type.Optional(
      Type.Enum(['all', 'open', 'expired', 'completed'], {
        description: 'expired: open, and expired by now',
        examples: ['open'],
      }),
    ),
    tag: Type.Optional(
      Type.Union([Tag, Type.Array(Tag, { maxItems: limits.tags })], {
        description: 'Several times: each of them',
        examples: ['home'],
      }),
    ),
    priority: Type.Optional(Type.Enum(priorities, { description: 'Of this priority', examples: ['high'] })),
    q: Type.Optional(
      Type.String({
        maxLength: 200,
        description:
          'Each word of it is in title or description, as a word or the beginning of one. Words are runs of letters and digits, without regard to case and width; each Han or kana character is one. A q without any is refused',
        examples: ['renew pass'],
      }),
    ),
    expires_after: timeIn('Expires then or later'),
    expires_before: timeIn('Expires earlier'),
    updated_after: timeIn('Changed later'),
    ids: Type.Optional(IdList),
    count: Type.Optional(
      Type.Enum(['true', 'false'], { description: 'Whether to answer `total`', examples: ['true'] }),
    ),
  },
  { additionalProperties: false },
)

export type TaskQueryWire = Static<typeof TaskQueryShape>

export const TaskPageShape = Type.Object(
  {
    tasks: Type.Array(refTo(TaskShape)),
    next_cursor: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Null when nothing is left' }),
    total: Type.Optional(
      Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        description: 'With count=true; null where each word of q begins a word of more than 10,000 tasks',
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
        open: Type.Integer({ description: 'Tasks with it that are not completed' }),
        expired: Type.Integer({ description: 'Those of them that have expired' }),
      }),
    ),
  },
  { $id: 'TagList' },
)

export type TagListWire = Static<typeof TagListShape>
