import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Expression, type SqlBool, sql } from 'kysely'
import type { DeliveryState } from '#core/delivery.ts'
import { windowEnd } from './engine/id-windows.ts'
import { type NotificationRecord, toNotification } from './notifications.ts'
import type { Db } from './schema.ts'

/** Which notifications a list contains. All conditions must hold, and those of a delivery for one and the same delivery. */
export interface NotificationFilter {
  readonly taskId?: number
  readonly acknowledged?: boolean
  readonly status?: DeliveryState
  readonly channelId?: number
  /** Failed, or pending after a failed attempt. */
  readonly hasProblem?: boolean
}

/** The newest first. @param page.before an id, exclusive */
export async function listNotifications(
  db: Db,
  userId: number,
  filter: NotificationFilter,
  page: { before: number; limit: number },
): Promise<NotificationRecord[]> {
  // Rare matches are searched one window at a time. A task has few notifications.
  const { taskId, ...others } = filter
  const isRare = taskId === undefined && Object.keys(others).length > 0
  const found: NotificationRecord[] = []
  for (let { before } = page; ; await nextTurn()) {
    const first = isRare ? ((await windowEnd(db, 'notifications', userId, before, 'down')) ?? 0) : 0
    const window = { first, before, limit: page.limit - found.length }
    for (const row of await selectWindow(db, userId, filter, window)) found.push(row)
    if (first === 0 || found.length >= page.limit) return found
    before = first
  }
}

interface Window {
  readonly first: number
  readonly before: number
  readonly limit: number
}

async function selectWindow(
  db: Db,
  userId: number,
  filter: NotificationFilter,
  window: Window,
): Promise<NotificationRecord[]> {
  const { first, before, limit } = window
  const { taskId, acknowledged } = filter
  let query = db.selectFrom('notifications').selectAll().where('user_id', '=', userId)
  query = query.where('id', '>=', first).where('id', '<', before).orderBy('id', 'desc').limit(limit)
  if (taskId !== undefined) query = query.where('task_id', '=', taskId)
  if (acknowledged !== undefined) query = query.where('acknowledged_at', acknowledged ? 'is not' : 'is', null)
  const condition = hasDelivery(userId, filter, window)
  if (condition) query = query.where(condition)
  return (await query.execute()).map(toNotification)
}

/** The condition that one delivery of a notification matches the filter. */
function hasDelivery(
  userId: number,
  { status, channelId, hasProblem }: NotificationFilter,
  { first, before }: Window,
): Expression<SqlBool> | undefined {
  const all: Expression<SqlBool>[] = []
  if (status !== undefined) all.push(sql`d.state = ${status}`)
  if (channelId !== undefined) all.push(sql`d.channel_id = ${channelId}`)
  if (hasProblem) all.push(sql`d.state in ('failed', 'pending')`)
  // Failed and cancelled deliveries have a reason. Deliveries with a reason are few, and have an index where it can be partial.
  const hasReason = hasProblem || status === 'failed' || status === 'cancelled'
  if (hasReason) all.push(sql`d.error is not null`)
  if (all.length === 0) return undefined
  const matches = sql.join(all, sql` and `)
  return hasReason
    ? sql`notifications.id in (select d.notification_id from deliveries as d
        where d.user_id = ${userId} and d.notification_id >= ${first} and d.notification_id < ${before} and ${matches})`
    : sql`exists (select 1 from deliveries as d where d.notification_id = notifications.id and ${matches})`
}
