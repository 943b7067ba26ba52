import { useLayoutEffect } from 'preact/hooks'
import type { DeliveryWire, NotificationWire } from '#api/schemas/notification.ts'
import type { TaskWire } from '#api/schemas/task.ts'
import { formatUntil } from '../../format/dates.ts'
import { formatReminder } from '../../format/lead.ts'
import { href } from '../../router.ts'
import { zone } from '../../state/settings.ts'
import {
  channelNames,
  followHistory,
  history,
  isAttempted,
  loadHistory,
  loadOlder,
  retryDelivery,
} from '../../state/task-history.ts'
import { minute } from '../../state/time.ts'
import { taskText } from '../../text/task.ts'
import { ErrorNote } from '../../ui/notes.tsx'

/** Every notification of a task with its deliveries, the newest first, between its completion and its creation. */
export function History({ task }: { task: TaskWire }) {
  useLayoutEffect(() => followHistory(task.id), [task.id])
  const shown = history.value?.id === task.id ? history.value : null
  return (
    <section aria-labelledby="task-history">
      <h2 id="task-history">{taskText.history}</h2>
      {shown?.error !== undefined && (
        <ErrorNote title={taskText.historyFailed} error={shown.error} onRetry={() => loadHistory(task.id)} />
      )}
      <ol class="tl">
        {task.completed_dt && (
          <li>
            <Entry title={taskText.completedEntry} at={task.completed_dt} />
          </li>
        )}
        {shown?.notifications.map((one) => (
          <Sent key={one.id} notification={one} />
        ))}
        {!shown?.next && (
          <li>
            <Entry title={taskText.created} at={task.create_dt} />
          </li>
        )}
      </ol>
      {shown?.next && (
        <button class="btn text" type="button" onClick={loadOlder}>
          {taskText.older}
        </button>
      )}
    </section>
  )
}

function Entry({ title, at, more }: { title: string; at: string; more?: string | undefined }) {
  return (
    <div class="say">
      <span>
        {title}
        {more && <span class="mute"> · {more}</span>}
      </span>
      <time dateTime={at}>{formatUntil(Date.parse(at), minute.value, zone())}</time>
    </div>
  )
}

function titleOf({ kind, reminder }: NotificationWire): string {
  if (kind === 'snooze' || reminder === null) return taskText.snoozeEnded
  return taskText.reminder(formatReminder(reminder, { now: minute.value, zone: zone() }))
}

function Sent({ notification }: { notification: NotificationWire }) {
  const { deliveries, fired_dt, timing, lateness_ms, acknowledged_dt } = notification
  const isBad = deliveries.some(({ state }) => state === 'failed')
  const more = [
    timing === 'late' && taskText.late(Math.round(lateness_ms / 1_000)),
    acknowledged_dt !== null && taskText.acknowledged,
  ].filter((part) => part !== false)
  return (
    <li class={isBad ? 'bad' : undefined}>
      <Entry title={titleOf(notification)} at={fired_dt} more={more.join(' · ')} />
      {deliveries.length === 0 && <p class="s mute">{taskText.noChannel}</p>}
      <ul class="sent">
        {deliveries.map((delivery) => (
          <Delivery key={delivery.id} delivery={delivery} notification={notification} />
        ))}
      </ul>
    </li>
  )
}

function Delivery({ delivery, notification }: { delivery: DeliveryWire; notification: NotificationWire }) {
  const { channel_id, state, error } = delivery
  const name = channelNames.value.get(channel_id)
  return (
    <li>
      <bdi>{name ?? taskText.deletedChannel}</bdi>
      <span>
        <State delivery={delivery} />
        {error && state !== 'sent' && <span class="why">{error}</span>}
      </span>
      {state === 'failed' && name !== undefined && (
        <span class="bar again">
          <button class="btn text" type="button" onClick={() => retryDelivery(notification, delivery.id)}>
            {taskText.retryNow}
          </button>
          <a class="btn text" href={href('channels')}>
            {taskText.fixChannel}
          </a>
        </span>
      )}
    </li>
  )
}

function State({ delivery }: { delivery: DeliveryWire }) {
  const { state, latency_ms, attempts, next_attempt_dt } = delivery
  if (state === 'sent') return <>{taskText.delivered(latency_ms)}</>
  if (state === 'failed') return <span class="late">{taskText.failedDelivery}</span>
  if (state === 'cancelled') return <>{taskText.cancelled}</>
  if (attempts === 0 || next_attempt_dt === null) return <>{taskText.sending}</>
  if (isAttempted(delivery)) return <>{taskText.sendingAgain}</>
  const when = formatUntil(Date.parse(next_attempt_dt), minute.value, zone())
  return <span class="soon">{taskText.retryAt(when, attempts)}</span>
}
