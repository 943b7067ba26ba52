import { signal } from '@preact/signals'
import type { EventWire } from '#api/schemas/event.ts'
import type { DeliveryWire, NotificationWire } from '#api/schemas/notification.ts'
import { taskText } from '../text/task.ts'
import { client } from './client.ts'
import { listeners } from './tasks.ts'
import { showToast } from './toast.ts'

interface History {
  readonly id: number
  readonly notifications: readonly NotificationWire[]
  /** The cursor of older ones; null: these are all. */
  readonly next: string | null
  readonly error?: unknown
}

/** The notifications of the task that is shown, the newest first; null until they are loaded. */
export const history = signal<History | null>(null)

/** The names of the channels, by id. */
export const channelNames = signal<ReadonlyMap<number, string>>(new Map())

const pageSize = 20
/** A delivery is no event unless it fails: while one is under way, this is how often its state is read. */
const pollMs = 2_000
let timer: ReturnType<typeof setTimeout> | undefined
/** The latest load counts. */
let latest = 0

export async function loadHistory(id: number): Promise<void> {
  const own = ++latest
  clearTimeout(timer)
  const known = history.peek()?.id === id ? history.peek() : null
  const limit = Math.max(pageSize, known?.notifications.length ?? 0)
  try {
    const [page, { channels }] = await Promise.all([client.listTaskNotifications(id, { limit }), client.listChannels()])
    if (own !== latest) return
    channelNames.value = new Map(channels.map((channel) => [channel.id, channel.name]))
    history.value = { id, notifications: page.notifications, next: page.next_cursor }
    if (page.notifications.some(({ deliveries }) => deliveries.some(isAttempted)))
      timer = setTimeout(() => loadHistory(id), pollMs)
  } catch (error) {
    if (own === latest) history.value = { id, notifications: [], next: null, ...known, error }
  }
}

/** While an attempt runs, the next one is noted for after its timeout: it cannot be told from one that waits as long. */
const maxAttemptMs = 60_000

export const isAttempted = ({ state, next_attempt_dt }: DeliveryWire): boolean =>
  state === 'pending' && (next_attempt_dt === null || Date.parse(next_attempt_dt) <= Date.now() + maxAttemptMs)

export async function loadOlder(): Promise<void> {
  const shown = history.value
  if (!shown?.next) return
  try {
    const page = await client.listTaskNotifications(shown.id, { limit: pageSize, cursor: shown.next })
    if (history.value !== shown) return
    history.value = {
      id: shown.id,
      notifications: [...shown.notifications, ...page.notifications],
      next: page.next_cursor,
    }
  } catch (error) {
    history.value = { ...shown, error }
  }
}

/** Loads the history of a task and follows it. @returns what stops that */
export function followHistory(id: number): () => void {
  const listen = ({ data: { notification } }: EventWire) => {
    if (notification?.task_id === id) loadHistory(id)
  }
  listeners.add(listen)
  loadHistory(id)
  return () => {
    listeners.delete(listen)
    clearTimeout(timer)
    latest++
  }
}

export async function retryDelivery(notification: NotificationWire, deliveryId: string): Promise<void> {
  try {
    await client.retryNotification(notification.id, { delivery_id: deliveryId })
  } catch (error) {
    const { problem } = error as { problem?: { detail: string } }
    showToast({ message: `${taskText.retryNotSent}. ${problem?.detail ?? ''}`.trim() })
  }
  await loadHistory(notification.task_id)
}
