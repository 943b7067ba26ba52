import type { TaskWire } from '#api/schemas/task.ts'
import { formatDay, formatUntil } from '../../format/dates.ts'
import { href, lastScreen, navigate } from '../../router.ts'
import { completeTask, deleteTask, reopenTask } from '../../state/changes.ts'
import { zone } from '../../state/settings.ts'
import { pending, withEdits } from '../../state/task.ts'
import { minute } from '../../state/time.ts'
import { text } from '../../text/en.ts'
import { taskText } from '../../text/task.ts'
import { Icon } from '../../ui/icons.tsx'
import { Expiry } from '../../ui/row.tsx'
import { openSnooze } from '../../ui/snooze.tsx'
import { Priority, Tags } from './choices.tsx'
import { ExpiryField } from './expiry.tsx'
import { History } from './history.tsx'
import { Reminders } from './reminders.tsx'
import { Notes, Title } from './texts.tsx'
import { Unsaved } from './unsaved.tsx'

/** Servers that know repeating tasks tell the rule as a text. */
type MaybeRepeating = TaskWire & { readonly recurrence_text?: string | null }

export function toggleComplete(task: TaskWire): void {
  if (task.completed_dt === null) completeTask(task)
  else reopenTask(task)
}

/** Leaves before the task goes, so that the screen does not look for it. */
export function deleteAndClose(task: TaskWire): void {
  navigate(lastScreen.value.path)
  deleteTask(task)
}

export const canSnooze = (task: TaskWire) => task.completed_dt === null && task.expiry_dt !== null

/** A task with all that can be changed, and its history. */
export function Panel({ task }: { task: TaskWire }) {
  const shown = withEdits.value(task)
  const isDone = task.completed_dt !== null
  const { recurrence_text } = task as MaybeRepeating
  return (
    <>
      <Bar task={task} />
      <h1 class="vh" id="task-heading">
        <bdi>{task.title}</bdi>
      </h1>
      <Unsaved task={task} />
      <div class={isDone ? 'head is-done' : 'head'}>
        <button
          class="tick-box"
          type="button"
          aria-pressed={isDone}
          aria-label={taskText.complete}
          onClick={() => toggleComplete(task)}
        >
          <Icon name="check" />
        </button>
        <div>
          <Title task={task} shown={shown} />
          <p class="s mute">
            <Lead task={task} />
          </p>
        </div>
      </div>
      <Notes task={task} shown={shown} />
      <ExpiryField task={task} shown={shown} />
      {recurrence_text && (
        <div class="field">
          <span>{taskText.repeats}</span>
          <p class="value">
            <Icon name="repeat" /> {recurrence_text}
          </p>
        </div>
      )}
      <Reminders task={task} shown={shown} />
      <Tags task={task} shown={shown} />
      <Priority task={task} shown={shown} />
      <History task={task} />
    </>
  )
}

function Bar({ task }: { task: TaskWire }) {
  const waiting = pending.value.get(task.id)
  const isStuck = waiting?.error !== undefined || waiting?.conflict !== undefined
  const state = isStuck ? taskText.notSaved : waiting ? taskText.saving : taskText.saved
  return (
    <div class="bar apart">
      <BackLink />
      <span class="s mute shut">
        {taskText.task(task.id)} · {state}
      </span>
      <div class="bar">
        {canSnooze(task) && (
          <button
            class="btn text"
            type="button"
            id="task-snooze"
            aria-haspopup="menu"
            onClick={(event) => openSnooze(task, event.currentTarget)}
          >
            {text.snooze}
          </button>
        )}
        <button class="btn text danger" type="button" onClick={() => deleteAndClose(task)}>
          {taskText.delete}
        </button>
        <CloseLink />
      </div>
    </div>
  )
}

/** Below 1024 px, where the task is a page. */
export function BackLink() {
  const { name, path } = lastScreen.value
  return (
    <a class="btn text back" href={href(path)}>
      <Icon name="back" /> {name in text ? (text[name as keyof typeof text] as string) : text.expiring}
    </a>
  )
}

/** Beside a list, where the task is a panel. */
export function CloseLink() {
  return (
    <a class="btn text shut" href={href(lastScreen.value.path)}>
      {text.close} <kbd>Esc</kbd>
    </a>
  )
}

const dayMs = 86_400_000

/** When it expires or was completed, in one line. A day ahead and less, also how long that is. */
function Lead({ task }: { task: TaskWire }) {
  const { completed_dt, expiry_dt, expiry_date, snoozed_until_dt } = task
  const [now, own] = [minute.value, zone()]
  if (completed_dt !== null) return <>{taskText.completedAt(formatUntil(Date.parse(completed_dt), now, own))}</>
  if (expiry_dt === null) return <>{taskText.noExpiry}</>
  const at = Date.parse(expiry_dt)
  const when = expiry_date === null ? formatUntil(at, now, own) : formatDay(at - 1, now, own)
  const snoozed = snoozed_until_dt === null ? 0 : Date.parse(snoozed_until_dt)
  return (
    <>
      {at > now ? taskText.expires(when) : taskText.expired(when)}
      {at - now < dayMs && (
        <>
          {' · '}
          <Expiry task={task} />
        </>
      )}
      {snoozed > now && ` · ${text.snoozedUntil(formatUntil(snoozed, now, own))}`}
    </>
  )
}
