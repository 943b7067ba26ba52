import type { EventType } from '#api/schemas/event.ts'
import { changesSince } from '#store/changes.ts'
import { channelKinds } from '#store/channels.ts'
import { deliveriesOf } from '#store/deliveries.ts'
import { notificationsByIds } from '#store/notifications.ts'
import type { Db } from '#store/schema.ts'
import { tasksByIds } from '#store/tasks.ts'
import { findUser } from '#store/users.ts'
import { toEvent } from '#wire/events.ts'

export interface StreamEvent {
  readonly number: number
  readonly type: EventType
  readonly taskId: number | null
  /** The event as JSON, in one line. */
  readonly text: string
}

/** Reads a page of a user's changes as events, with the present state of the tasks and notifications that they concern. */
export async function readEvents(db: Db, userId: number, after: number, limit: number): Promise<StreamEvent[]> {
  const changes = await changesSince(db, userId, after, limit)
  const unique = (ids: (number | null | undefined)[]) => [...new Set(ids.filter((id) => id != null))]
  const taskIds = unique(changes.map(({ taskId }) => taskId))
  const notificationIds = unique(changes.map(({ notificationId }) => notificationId))
  const failedIds = unique(changes.map(({ kind, notificationId }) => (kind === 'failed' ? notificationId : null)))
  const tasks = taskIds.length > 0 ? await tasksByIds(db, taskIds) : new Map<number, never>()
  const notifications =
    notificationIds.length > 0 ? await notificationsByIds(db, notificationIds) : new Map<number, never>()
  const deliveries = failedIds.length > 0 ? await deliveriesOf(db, failedIds) : new Map<number, never>()
  const kinds = failedIds.length > 0 ? await channelKinds(db, userId) : new Map<number, never>()
  const timeZone = notificationIds.length > 0 ? (await findUser(db, userId))?.defaults.timeZone : undefined
  return changes.map((change) => {
    const { number, taskId, notificationId = 0, channelId } = change
    const event = toEvent(
      change,
      {
        task: taskId === null ? undefined : tasks.get(taskId),
        notification: notifications.get(notificationId),
        delivery: deliveries.get(notificationId)?.find((one) => one.channelId === channelId),
        channelKinds: kinds,
      },
      timeZone,
    )
    return { number, taskId, type: event.type, text: JSON.stringify(event) }
  })
}
