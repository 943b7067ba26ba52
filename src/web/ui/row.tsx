import type { ComponentChildren } from 'preact'
import type { TaskWire } from '#api/schemas/task.ts'
import { formatUntil } from '../format/dates.ts'
import { formatExpiry } from '../format/expiry.ts'
import { href, route } from '../router.ts'
import { completeTask, reopenTask } from '../state/changes.ts'
import { zone } from '../state/settings.ts'
import { changedElsewhere } from '../state/tasks.ts'
import { liveMs, minute, now } from '../state/time.ts'
import { text } from '../text/en.ts'
import { Icon } from './icons.tsx'
import { openSnooze } from './snooze.tsx'

/** When a task expires. Only within the last minutes it is drawn each second. */
export function Expiry({ task, isDayKnown = false }: { task: TaskWire; isDayKnown?: boolean }) {
  const left = task.expiry_dt === null ? Number.POSITIVE_INFINITY : Date.parse(task.expiry_dt) - minute.value
  const isClose = left > 0 && left <= liveMs + 60_000
  const shown = formatExpiry(task, { now: isClose ? now.value : minute.value, zone: zone(), isDayKnown })
  if (!shown) return <span class="when" />
  return (
    <time
      dateTime={task.expiry_date ?? task.expiry_dt ?? undefined}
      class={`${shown.tone}${shown.isLive ? ' live' : ''}`}
      title={shown.full}
      {...(shown.isLive && { role: 'timer', 'aria-live': 'off', 'aria-label': shown.full })}
    >
      {shown.text}
      {shown.more && (
        <>
          {', '}
          <span>{shown.more}</span>
        </>
      )}
    </time>
  )
}

interface RowProps {
  readonly task: TaskWire
  readonly isDayKnown?: boolean
  /** In place of the circle and the actions: a box that selects the row. */
  readonly box?: ComponentChildren
  /** In place of the expiry. */
  readonly when?: ComponentChildren
  /** In place of Snooze. */
  readonly action?: ComponentChildren
}

/** A task in a list. Its title covers the row; the circle and the actions lie above it. */
export function Row({ task, isDayKnown = false, box, when, action }: RowProps) {
  const isDone = task.completed_dt !== null
  const states = `${isDone ? ' is-done' : ''}${changedElsewhere.value.has(task.id) ? ' is-changed' : ''}`
  const isShown = route.value.name === 'task' && route.value.id === task.id
  return (
    <li class={`row${states}`} id={`task-${task.id}`} aria-current={isShown ? 'true' : undefined}>
      {box ?? <Circle task={task} isDone={isDone} />}
      <div class="what">
        <a class="t" href={href(`tasks/${task.id}`)}>
          <bdi dir="auto">{task.title}</bdi>
        </a>
        <Meta task={task} />
      </div>
      {when ?? <Expiry task={task} isDayKnown={isDayKnown} />}
      {!box && (action ?? (!isDone && task.expiry_dt !== null && <SnoozeAction task={task} />))}
    </li>
  )
}

function Circle({ task, isDone }: { task: TaskWire; isDone: boolean }) {
  return (
    <button
      class="tick-box"
      type="button"
      aria-pressed={isDone}
      aria-label={text.complete(task.title)}
      onClick={() => (isDone ? reopenTask(task) : completeTask(task))}
    >
      <Icon name="check" />
    </button>
  )
}

function SnoozeAction({ task }: { task: TaskWire }) {
  return (
    <div class="acts">
      <button
        class="btn"
        type="button"
        data-snooze
        aria-haspopup="menu"
        aria-label={text.snoozeOf(task.title)}
        onClick={(event) => openSnooze(task, event.currentTarget)}
      >
        {text.snooze}
      </button>
    </div>
  )
}

function Meta({ task }: { task: TaskWire }) {
  const isNormal = task.priority !== 'high' && task.priority !== 'low'
  const snoozed = formatSnooze(task)
  if (isNormal && task.tags.length === 0 && snoozed === null) return null
  return (
    <span class={snoozed === null ? 'meta' : 'sub'}>
      {!isNormal && (
        <span class={task.priority === 'high' ? 'hi' : undefined}>
          {task.priority === 'high' ? text.high : text.low}
        </span>
      )}
      {task.tags.map((tag) => (
        <bdi key={tag}>{tag}</bdi>
      ))}
      {snoozed !== null && <span>{snoozed}</span>}
    </span>
  )
}

function formatSnooze({ snoozed_until_dt, completed_dt }: TaskWire): string | null {
  if (snoozed_until_dt === null || completed_dt !== null) return null
  const until = Date.parse(snoozed_until_dt)
  if (until <= minute.value) return null
  return text.snoozedUntil(formatUntil(until, minute.value, zone()))
}
