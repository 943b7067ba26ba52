import { createHash } from 'node:crypto'
import { sortNames, type TaskQueryWire } from '#api/schemas/task-list.ts'
import { instantOf, isStorable } from '#core/date-time.ts'
import { malformedParameter, nearest, type Problem } from '#core/problem.ts'
import { priorities } from '#core/task.ts'
import { byId, type Position, type SortKey, type TaskFilter } from '#core/task-query.ts'
import { tokenize } from '#core/tokenize.ts'
import { parseIds } from './id-list.ts'
import { parseTime } from './time.ts'

/** `malformed`, for one parameter. */
export function badParameter(parameter: string, detail: string): Problem {
  return malformedParameter(parameter, detail, `${parameter} ${detail}.`)
}

/** @param timeZone where times without an offset are read @throws Problem `malformed` */
export function toFilter(query: TaskQueryWire, timeZone: string): TaskFilter {
  const { status, tag, priority, ids, q } = query
  const times = {
    expiresAfter: toInstant('expires_after', query.expires_after, timeZone),
    expiresBefore: toInstant('expires_before', query.expires_before, timeZone),
    updatedAfter: toInstant('updated_after', query.updated_after, timeZone),
  }
  const filter = {
    status: status === 'all' ? undefined : status,
    tags: tag === undefined ? undefined : [...new Set([tag].flat())].sort(),
    priority,
    ...times,
    ids: ids === undefined ? undefined : parseIds(ids),
    words: q === undefined ? undefined : toWords(q),
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}

function toInstant(parameter: string, text: string | undefined, timeZone: string): number | undefined {
  if (text === undefined) return undefined
  const input = parseTime(text)
  if (!input)
    throw badParameter(
      parameter,
      'must be a time like "2026-12-01T09:00:00Z", "2026-12-01T10:00" or "2026-12-01"; a + is written %2B in a URL',
    )
  const at = instantOf(input, timeZone)
  if (!isStorable(at)) throw badParameter(parameter, 'must lie between the years 1 and 9999')
  return at
}

// The text is not searched as a whole: no index helps, and reading a million tasks would delay reminders by half a second.
function toWords(q: string): string[] {
  const words = tokenize(q)
  if (words.length === 0) throw badParameter('q', 'must have a letter or a digit')
  return words.sort()
}

/** @throws Problem `malformed` */
export function toSort(text: string | undefined): readonly SortKey[] {
  if (text === undefined) return byId
  const keys: SortKey[] = []
  for (const name of text.split(',')) {
    const isDescending = name.startsWith('-')
    const by = Object.entries(sortNames).find(([one]) => one === name.slice(isDescending ? 1 : 0))?.[1]
    if (by === undefined) {
      const known = Object.keys(sortNames)
      const word = name.replace(/^[-+ ]/, '')
      const near = nearest(word, known) ?? nearest(`${word}_dt`, known)
      const hint = near ? `did you mean ${near}?` : `there are ${known.join(', ')}`
      throw badParameter('sort', `has «${name}», which is not known; ${hint}`)
    }
    if (keys.some((key) => key.by === by)) throw badParameter('sort', `names ${name.replace(/^-/, '')} twice`)
    keys.push({ by, isDescending })
  }
  // Keys after the id have no effect.
  const id = keys.findIndex(({ by }) => by === 'id')
  if (id >= 0) return keys.slice(0, id + 1)
  return [...keys, { by: 'id', isDescending: keys.at(-1)?.isDescending ?? false }]
}

/** The cursor of a sorted list: the position, and a fingerprint of the list. */
export function toListCursor(position: Position, filter: TaskFilter, sort: readonly SortKey[]): string {
  return Buffer.from(JSON.stringify([fingerprint(filter, sort), ...position])).toString('base64url')
}

/** @throws Problem `malformed` for a cursor of no list, or of another */
export function parseListCursor(cursor: string, filter: TaskFilter, sort: readonly SortKey[]): Position {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {}
  const [list, ...position] = Array.isArray(parsed) ? (parsed as unknown[]) : []
  if (list !== fingerprint(filter, sort))
    throw badParameter('cursor', 'is not one that this server gave for this filter and this sort')
  // A client may have changed it: databases refuse a text in place of a number, or a text with a NUL.
  if (position.length !== sort.length || !sort.every((key, i) => isValueOf(key, position[i])))
    throw badParameter('cursor', 'is not one that this server gave')
  return position as Position[number][]
}

function isValueOf({ by }: SortKey, value: unknown): boolean {
  if (by === 'title') return typeof value === 'string' && value.isWellFormed() && !value.includes('\0')
  if (by === 'priority') return priorities.some((_, i) => i === value)
  return Number.isSafeInteger(value) || (by === 'expiry' && value === null)
}

function fingerprint(filter: TaskFilter, sort: readonly SortKey[]): string {
  const keys = sort.map(({ by, isDescending }) => (isDescending ? `-${by}` : by))
  return createHash('sha256')
    .update(JSON.stringify([filter, keys]))
    .digest('base64url')
    .slice(0, 12)
}
