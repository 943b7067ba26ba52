import { kindAt, type Message, type Timing } from '#core/notification.ts'
import type { TaskDraft } from '#core/task.ts'
import { newTask } from '#core/task-changes.ts'

export const expiryAt = Date.parse('2026-12-01T09:00:00Z')
export const dueAt = expiryAt - 15 * 60_000

/** A message about a task that expires on 1 December 2026 at 10:00 in Paris. @param about.sentMs after its reminder */
export function messageAbout(
  draft: Partial<TaskDraft>,
  { sentMs = 0, timing = 'on_time', links = null }: { sentMs?: number; timing?: Timing; links?: Message['links'] } = {},
): Message {
  const defaults = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'Europe/Paris' }
  const drafted: TaskDraft = { title: 'Renew passport', expiry: { at: expiryAt }, ...draft }
  const task = newTask(drafted, 1, '0193a2f0-8b7e-7c41-9d55-000000000042', defaults, dueAt - 86_400_000)
  const sentAt = dueAt + sentMs
  const latenessMs = timing === 'late' ? sentMs : 0
  const notification = {
    id: 901,
    userId: 1,
    taskId: 42,
    reminder: 'PT15M',
    expiryAt,
    dueAt,
    firedAt: sentAt,
    timing,
    latenessMs,
  }
  const kind = kindAt('PT15M', expiryAt, sentAt)
  return {
    deliveryId: '0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10',
    attempt: 1,
    notification: { ...notification, kind },
    task: { ...task, id: 42 },
    kind,
    sentAt,
    timeZone: 'Europe/Paris',
    links,
    others: [],
  }
}
