import { randomUUIDv7 } from 'node:crypto'
import type { Logger } from 'pino'
import type { ChannelRecord } from '#core/channel.ts'
import { newTask } from '#core/task-changes.ts'
import { recordChange } from '#store/changes.ts'
import { disableChannel } from '#store/channels.ts'
import { cancelForChannel } from '#store/deliveries.ts'
import type { Db } from '#store/schema.ts'
import { insertTask } from '#store/task-writes.ts'

/** Notifies the user by a task that a channel is failing. */
export async function notifyFailing(
  tx: Db,
  channel: ChannelRecord,
  { isFailed, reason }: { isFailed: boolean; reason: string },
  now: number,
): Promise<void> {
  const { id, name } = channel
  const failure = isFailed ? 'could not deliver a notification' : 'has delivered nothing for a day'
  await addTask(tx, channel, now, {
    title: `Channel «${name}» ${failure}: ${reason}`,
    description: `Other notifications may fail as well. Correct channel ${id} and test it. Then retry what failed with POST /v1/notifications/retry and {"channel_id": ${id}}, and mark this as done.`,
  })
}

/** Ends all attempts of a channel, with the reason at each pending notification, and notifies the user by a task. */
export async function switchOff(tx: Db, channel: ChannelRecord, reason: string, now: number, log: Logger) {
  const { id, name } = channel
  if (!(await disableChannel(tx, id, reason))) return // another replica was first
  const cancelled = await cancelForChannel(tx, id, 'the channel was switched off', now)
  log.error({ channel: name, reason, cancelled }, 'channel switched off')
  await addTask(tx, channel, now, {
    title: `Channel «${name}» is switched off: ${reason}`,
    description: `${cancelled} notifications that waited for it were cancelled. Correct it, test it and switch it on again, then mark this as done.`,
  })
}

async function addTask(
  tx: Db,
  { userId }: ChannelRecord,
  now: number,
  { title, description }: { title: string; description: string },
) {
  const draft = {
    title: title.length > 500 ? `${title.slice(0, 499)}…` : title,
    description,
    expiry: { at: now },
    reminders: ['PT0S'],
    priority: 'high' as const,
  }
  const task = await insertTask(
    tx,
    newTask(
      draft,
      userId,
      randomUUIDv7(),
      { reminders: [], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' },
      now,
    ),
  )
  recordChange(tx, { userId, taskId: task.id, kind: 'created' })
}
