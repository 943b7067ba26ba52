import { setImmediate as turn } from 'node:timers/promises'
import { type Expression, type ExpressionBuilder, type RawBuilder, type SqlBool, sql } from 'kysely'
import { priorities, type Task } from '#core/task.ts'
import { byId, type Position, positionOf, type SortColumn, type SortKey, type TaskFilter } from '#core/task-query.ts'
import { haveTokens } from '#core/tokenize.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { Db, Schema } from './schema.ts'
import { findCandidates } from './search.ts'
import { toTask } from './tasks.ts'

/**
 * Lists of tasks in any order, and of some only. A page goes on behind a position, which is what its last task was sorted by, so it does not
 * matter what was inserted or deleted before it meanwhile. The list of all in the order of their ids is `listTasks` in tasks.ts.
 */
export interface PageRequest {
  readonly filter: TaskFilter
  /** Ends with the id, so that no two tasks are at one place. */
  readonly sort: readonly SortKey[]
  readonly after?: Position | undefined
  readonly limit: number
  readonly offset: number
  /** ms since 1970: what has expired by then. */
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
  title: sql`title`, // by the numbers of its characters
  created: sql`created_at`,
  updated: sql`updated_at`,
}

/** The same for tasks that are looked up: no index of theirs is to be thought better than the ids, as SQLite does. */
const unindexedColumns: typeof columnOf = { ...columnOf, expiry: sql`(expiry_at + 0)` }

/** Tasks of a user in an order, those that a filter lets through. */
export async function listPage(db: Db, userId: number, wish: PageRequest): Promise<Task[]> {
  const { words } = wish.filter
  if (!words) return selectTasks(db, userId, wish)
  const { limit, offset } = wish
  const page: Task[] = []
  let skipped = 0
  for await (const task of search(db, userId, wish, words, await findCandidates(db, words))) {
    if (skipped++ < offset) continue
    page.push(task)
    if (page.length >= limit) break
  }
  return page
}

/** How many tasks a filter lets through; null where a search finds too many to look at each. */
export async function countTasks(db: Db, userId: number, filter: TaskFilter, now: number): Promise<number | null> {
  const { words } = filter
  if (words) {
    const ids = await findCandidates(db, words)
    if (!ids) return null
    const wish = { filter, sort: byId, limit: 0, offset: 0, now }
    let count = 0
    for await (const _ of search(db, userId, wish, words, ids)) count++
    return count
  }
  const { rest, expiry } = conditionsOf(filter, now)
  const { ids } = filter
  if (ids) rest.push((eb) => dialectOf(db).among(eb.ref('id'), ids))
  const row = await db
    .selectFrom('tasks')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('user_id', '=', userId)
    .where((eb) => eb.and([...rest, ...within(expiry)].map((condition) => condition(eb))))
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** A search reads tasks by lists of this many: 3 ms on the embedded database, and the bell can ring between two. */
const maxRead = 1_000

/**
 * Tasks that have the words, in order. Where the index names few, they are looked at; where it names very many, the list is walked
 * through, and it does not take long to meet enough of them.
 */
async function* search(
  db: Db,
  userId: number,
  wish: PageRequest,
  words: readonly string[],
  ids: readonly number[] | undefined,
): AsyncGenerator<Task> {
  let { after } = wish
  const among = intersection(ids, wish.filter.ids)
  for (let limit = among ? maxRead : Math.min(maxRead, Math.max(100, wish.limit)); ; limit = maxRead) {
    const tasks = await selectTasks(db, userId, { ...wish, after, limit, offset: 0 }, among)
    for (const task of tasks) if (haveTokens([task.title, task.description], words)) yield task
    const last = tasks.at(-1)
    if (!last || tasks.length < limit) return
    after = positionOf(last, wish.sort)
    await turn()
  }
}

function intersection(a: readonly number[] | undefined, b: readonly number[] | undefined) {
  if (!a || !b) return a ?? b
  const others = new Set(b)
  return a.filter((id) => others.has(id))
}

/**
 * One page. By expiry it is up to three statements, each of which reads a stretch of the index tasks_expiry and stops: the rest of
 * those that expire with the last one, those after, those never. In one statement, `order by expiry_at is null, …` and a
 * comparison of pairs would each keep one of the databases from using the index. Where ids are given these are looked up, and sorted.
 */
async function selectTasks(db: Db, userId: number, wish: PageRequest, among = wish.filter.ids): Promise<Task[]> {
  const { rest, expiry } = conditionsOf(wish.filter, wish.now)
  if (among) rest.push((eb) => dialectOf(db).among(eb.ref('id'), among))
  const found: Task[] = []
  let skip = wish.offset
  const parts = among
    ? [
        {
          where: [...within(expiry, unindexedColumns), ...afterPosition(wish.sort, wish.after, unindexedColumns)],
          sort: wish.sort,
        },
      ]
    : keysetRanges(wish, expiry)
  for (const { where, sort } of parts) {
    const conditions = (eb: Builder) => eb.and([...rest, ...where].map((condition) => condition(eb)))
    let query = db.selectFrom('tasks').selectAll().where('user_id', '=', userId).where(conditions)
    for (const { by, isDescending } of sort) {
      if (by === 'expiry' && (among || sort[0]?.by !== 'expiry')) query = query.orderBy(sql`expiry_at is null`)
      query = query.orderBy((among ? unindexedColumns : columnOf)[by], isDescending ? 'desc' : 'asc')
    }
    const rows = await query
      .limit(wish.limit - found.length)
      .offset(skip)
      .execute()
    for (const row of rows) found.push(toTask(row))
    if (found.length >= wish.limit) break
    if (rows.length > 0) skip = 0
    else if (skip > 0) {
      const counted = db.selectFrom('tasks').select((eb) => eb.fn.countAll<number>().as('count'))
      const row = await counted.where('user_id', '=', userId).where(conditions).executeTakeFirst()
      skip -= Number(row?.count ?? 0)
    }
  }
  return found
}

/** Instants from one up to another, the second left out. */
interface Span {
  readonly from: number
  readonly before: number
}

const always: Span = { from: Number.MIN_SAFE_INTEGER, before: Number.MAX_SAFE_INTEGER }

/** What a filter asks of a task, but for its ids and words, and of its expiry: undefined for nothing. */
function conditionsOf(filter: TaskFilter, now: number): { rest: Predicate[]; expiry: Span | undefined } {
  const { status = 'all', tags = [], priority, expiresAfter, expiresBefore, updatedAfter } = filter
  const rest: Predicate[] = []
  if (status === 'open' || status === 'expired') rest.push((eb) => eb('completed_at', 'is', null))
  if (status === 'completed') rest.push((eb) => eb('completed_at', 'is not', null))
  if (tags.length > 0) rest.push(isTagged)
  for (const tag of tags) rest.push(hasTag(tag))
  if (priority !== undefined) rest.push((eb) => eb('priority', '=', priority))
  if (updatedAfter !== undefined) rest.push((eb) => eb('updated_at', '>', updatedAfter))
  const from = expiresAfter ?? always.from
  const before = Math.min(expiresBefore ?? always.before, status === 'expired' ? now + 1 : always.before)
  const isBound = expiresAfter !== undefined || expiresBefore !== undefined || status === 'expired'
  return { rest, expiry: isBound ? { from, before } : undefined }
}

function within(span: Span | undefined, { expiry } = columnOf): Predicate[] {
  return span ? [() => sql`${expiry} >= ${span.from}`, () => sql`${expiry} < ${span.before}`] : []
}

/** In the words of the index tasks_tagged. */
export const isTagged: Predicate = () => sql`tags <> '[]'`

/**
 * A list of tags as it was written has the tag behind its `[` or a comma: a quote within another tag stands behind a backslash. `replace`
 * looks for bytes on all three databases, where `like` folds case on one.
 */
export function hasTag(tag: string): () => Expression<SqlBool> {
  const item = JSON.stringify(tag)
  // But for this one: `,","` is in ["x,","y"] as well. It is the first, or stands between the quotes of two others.
  if (tag === ',') return () => sql`(tags like '[",",%' or tags = '[","]' or replace(${bare}, '",","', '') <> ${bare})`
  return () => sql`(replace(tags, ${`[${item}`}, '') <> tags or replace(tags, ${`,${item}`}, '') <> tags)`
}

/** Tags without what a backslash hides. */
const bare = sql`replace(replace(tags, ${'\\\\'}, ''), ${'\\"'}, '')`

interface KeysetRange {
  readonly where: Predicate[]
  readonly sort: readonly SortKey[]
}

/** The parts of what is left behind a position, one after the other. */
function keysetRanges({ sort, after }: PageRequest, expiry: Span | undefined): KeysetRange[] {
  const [first, ...others] = sort
  if (first?.by !== 'expiry') return [{ where: [...within(expiry), ...afterPosition(sort, after)], sort }]
  const [last, ...rest] = after ?? []
  const { from, before } = expiry ?? always
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
    found.push({ where: within(behind), sort })
  }
  // By the rest alone: MySQL would sort nulls, which are all alike.
  if (!expiry)
    found.push({
      where: [(eb) => eb('expiry_at', 'is', null), ...(last === null ? afterPosition(others, rest) : [])],
      sort: others,
    })
  return found
}

/** Of tasks in this order those that come after a position: later by some key, and the same by all before it. */
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
