import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Expression, type ExpressionBuilder, type RawBuilder, type SqlBool, sql } from 'kysely'
import { priorities, type Task } from '#core/task.ts'
import { byId, type Position, positionOf, type SortColumn, type SortKey, type TaskFilter } from '#core/task-query.ts'
import { haveTokens } from '#core/tokenize.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db, Schema } from './schema.ts'
import { findCandidates } from './search.ts'
import { toTask } from './task-rows.ts'

/**
 * Lists of tasks, filtered and in any order. A page starts after the sort values of the last task before it, so it does not matter what
 * was inserted or deleted meanwhile. The list of all tasks in the order of their ids is `listTasks` in tasks.ts.
 */
export interface PageRequest {
  readonly filter: TaskFilter
  /** Ends with the id, so that positions are unique. */
  readonly sort: readonly SortKey[]
  readonly after?: Position | undefined
  readonly limit: number
  readonly offset: number
  /** ms since 1970: tasks that have expired by then count as expired. */
  readonly now: number
}

type Builder = ExpressionBuilder<Schema, 'tasks'>
type Predicate = (eb: Builder) => Expression<SqlBool>

const columnOf: Record<SortColumn, RawBuilder<number | string | null>> = {
  id: sql`id`,
  expiry: sql`expiry_at`,
  priority: sql`case priority ${sql.join(
    priorities.map((priority, i) => sql`when ${sql.lit(priority)} then ${sql.lit(i)}`),
    sql` `,
  )} end`,
  title: sql`title`, // by code points
  created: sql`created_at`,
  updated: sql`updated_at`,
}

/** The same columns for tasks that are looked up by id, in a form that no index serves: SQLite would prefer an index to the ids. */
const unindexedColumns: typeof columnOf = { ...columnOf, expiry: sql`(expiry_at + 0)` }

/** The tasks of a user that match a filter, in an order. */
export async function listPage(db: Db, userId: number, request: PageRequest): Promise<Task[]> {
  const { words } = request.filter
  if (!words) return selectTasks(db, userId, request)
  const { limit, offset } = request
  const page: Task[] = []
  let skipped = 0
  for await (const task of search(db, userId, request, words, await findCandidates(db, words))) {
    if (skipped++ < offset) continue
    page.push(task)
    if (page.length >= limit) break
  }
  return page
}

/** How many tasks match a filter; null when a search has too many candidates to check each. */
export async function countTasks(db: Db, userId: number, filter: TaskFilter, now: number): Promise<number | null> {
  const { words } = filter
  if (words) {
    const ids = await findCandidates(db, words)
    if (!ids) return null
    const request = { filter, sort: byId, limit: 0, offset: 0, now }
    let count = 0
    for await (const _ of search(db, userId, request, words, ids)) count++
    return count
  }
  const { rest, expiry } = conditionsOf(filter, now)
  const { ids } = filter
  if (ids) rest.push((eb) => dialectOf(db).among(eb.ref('id'), ids))
  const row = await db
    .selectFrom('tasks')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', userId)
    .where((eb) => eb.and([...rest, ...expiryWithin(expiry)].map((condition) => condition(eb))))
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** A search reads this many tasks at once: 3 ms on SQLite, and reminders can fire in between. */
const maxRead = 1_000

/**
 * The tasks with these words, in order. Few candidates are checked one by one. With very many, the list is scanned in order, and soon
 * finds enough of them.
 */
async function* search(
  db: Db,
  userId: number,
  request: PageRequest,
  words: readonly string[],
  ids: readonly number[] | undefined,
): AsyncGenerator<Task> {
  let { after } = request
  const among = intersection(ids, request.filter.ids)
  for (let limit = among ? maxRead : Math.min(maxRead, Math.max(100, request.limit)); ; limit = maxRead) {
    const tasks = await selectTasks(db, userId, { ...request, after, limit, offset: 0 }, among)
    for (const task of tasks) if (haveTokens([task.title, task.description], words)) yield task
    const last = tasks.at(-1)
    if (!last || tasks.length < limit) return
    after = positionOf(last, request.sort)
    await nextTurn()
  }
}

function intersection(a: readonly number[] | undefined, b: readonly number[] | undefined) {
  if (!a || !b) return a ?? b
  const others = new Set(b)
  return a.filter((id) => others.has(id))
}

/**
 * One page. By expiry it takes up to three statements, each of which reads a range of the index tasks_expiry and stops: the rest of
 * those with the expiry of the last task, those after it, those without one. In one statement, `order by expiry_at is null, …` and a
 * comparison of pairs would each keep one of the databases from using the index. Given ids are looked up, and sorted.
 */
async function selectTasks(db: Db, userId: number, request: PageRequest, among = request.filter.ids): Promise<Task[]> {
  const { rest, expiry } = conditionsOf(request.filter, request.now)
  if (among) rest.push((eb) => dialectOf(db).among(eb.ref('id'), among))
  const found: Task[] = []
  let skip = request.offset
  const parts = among
    ? [
        {
          where: [
            ...expiryWithin(expiry, unindexedColumns),
            ...afterPosition(request.sort, request.after, unindexedColumns),
          ],
          sort: request.sort,
        },
      ]
    : keysetRanges(request, expiry)
  for (const { where, sort } of parts) {
    const conditions = (eb: Builder) => eb.and([...rest, ...where].map((condition) => condition(eb)))
    let query = db.selectFrom('tasks').selectAll().where('user_id', '=', userId).where(conditions)
    for (const { by, isDescending } of sort) {
      if (by === 'expiry' && (among || sort[0]?.by !== 'expiry')) query = query.orderBy(sql`expiry_at is null`)
      query = query.orderBy((among ? unindexedColumns : columnOf)[by], isDescending ? 'desc' : 'asc')
    }
    const rows = await query
      .limit(request.limit - found.length)
      .offset(skip)
      .execute()
    for (const row of rows) found.push(toTask(row))
    if (found.length >= request.limit) break
    if (rows.length > 0) skip = 0
    else if (skip > 0) {
      const counted = db.selectFrom('tasks').select((eb) => eb.fn.countAll<number>().as('count'))
      const row = await counted.where('user_id', '=', userId).where(conditions).executeTakeFirst()
      skip -= Number(row?.count ?? 0)
    }
  }
  return found
}

/** Instants from `from` up to `before`, exclusive. */
interface ExpirySpan {
  readonly from: number
  readonly before: number
}

const anyExpiry: ExpirySpan = { from: Number.MIN_SAFE_INTEGER, before: Number.MAX_SAFE_INTEGER }

/** The conditions of a filter, except for ids and words, and the span of its expiry, if any. */
function conditionsOf(filter: TaskFilter, now: number): { rest: Predicate[]; expiry: ExpirySpan | undefined } {
  const { status = 'all', tags = [], priority, expiresAfter, expiresBefore, updatedAfter } = filter
  const rest: Predicate[] = []
  if (status === 'open' || status === 'expired') rest.push((eb) => eb('completed_at', 'is', null))
  if (status === 'completed') rest.push((eb) => eb('completed_at', 'is not', null))
  if (tags.length > 0) rest.push(isTagged)
  for (const tag of tags) rest.push(hasTag(tag))
  if (priority !== undefined) rest.push((eb) => eb('priority', '=', priority))
  if (updatedAfter !== undefined) rest.push((eb) => eb('updated_at', '>', updatedAfter))
  const from = expiresAfter ?? anyExpiry.from
  const before = Math.min(expiresBefore ?? anyExpiry.before, status === 'expired' ? now + 1 : anyExpiry.before)
  const isBound = expiresAfter !== undefined || expiresBefore !== undefined || status === 'expired'
  return { rest, expiry: isBound ? { from, before } : undefined }
}

function expiryWithin(span: ExpirySpan | undefined, { expiry } = columnOf): Predicate[] {
  return span ? [() => sql`${expiry} >= ${span.from}`, () => sql`${expiry} < ${span.before}`] : []
}

/** Written as in the partial index tasks_tagged. */
export const isTagged: Predicate = () => sql`tags <> '[]'`

/**
 * In the JSON text of a list, a tag follows its `[` or a comma: a quote within another tag follows a backslash. `replace` compares
 * bytes on all three databases, while `like` ignores case on one.
 */
export function hasTag(tag: string): () => Expression<SqlBool> {
  const item = JSON.stringify(tag)
  // Except for the tag `,`: `,","` is in ["x,","y"] too. That tag is the first, or stands between the quotes of two others.
  if (tag === ',')
    return () =>
      sql`(tags like '[",",%' or tags = '[","]' or replace(${unescapedTags}, '",","', '') <> ${unescapedTags})`
  return () => sql`(replace(tags, ${`[${item}`}, '') <> tags or replace(tags, ${`,${item}`}, '') <> tags)`
}

/** Tags without escaped characters. */
const unescapedTags = sql`replace(replace(tags, ${'\\\\'}, ''), ${'\\"'}, '')`

interface KeysetRange {
  readonly where: Predicate[]
  readonly sort: readonly SortKey[]
}

/** The ranges after a position, in order. */
function keysetRanges({ sort, after }: PageRequest, expiry: ExpirySpan | undefined): KeysetRange[] {
  const [first, ...others] = sort
  if (first?.by !== 'expiry') return [{ where: [...expiryWithin(expiry), ...afterPosition(sort, after)], sort }]
  const [last, ...rest] = after ?? []
  const { from, before } = expiry ?? anyExpiry
  const found: KeysetRange[] = []
  if (typeof last === 'number' && last >= from && last < before)
    found.push({ where: [(eb) => eb('expiry_at', '=', last), ...afterPosition(others, rest)], sort: others })
  if (last !== null) {
    const behind =
      typeof last !== 'number'
        ? { from, before }
        : first.isDescending
          ? { from, before: Math.min(before, last) }
          : { from: Math.max(from, last + 1), before }
    found.push({ where: expiryWithin(behind), sort })
  }
  // Sorted by the other keys only: MySQL would sort the nulls, which are all equal.
  if (!expiry)
    found.push({
      where: [(eb) => eb('expiry_at', 'is', null), ...(last === null ? afterPosition(others, rest) : [])],
      sort: others,
    })
  return found
}

/** Tasks after a position: later by some key, and equal by all keys before it. */
function afterPosition(sort: readonly SortKey[], after: Position | undefined, columns = columnOf): Predicate[] {
  if (!after) return []
  return [
    (eb) =>
      eb.or(
        sort.map((key, i) => {
          const same = sort.slice(0, i).map((one, j) => isEqual(columns[one.by], after[j] ?? null))
          return eb.and([...same, isAfter(key, columns[key.by], after[i] ?? null)])
        }),
      ),
  ]
}

const isEqual = (column: RawBuilder<unknown>, value: number | string | null) =>
  value === null ? sql<SqlBool>`${column} is null` : sql<SqlBool>`${column} = ${value}`

function isAfter({ by, isDescending }: SortKey, column: RawBuilder<unknown>, value: number | string | null) {
  if (value === null) return sql<SqlBool>`1 = 0`
  const later = isDescending ? sql<SqlBool>`${column} < ${value}` : sql<SqlBool>`${column} > ${value}`
  return by === 'expiry' ? sql<SqlBool>`(${later} or ${column} is null)` : later
}
