import type { TaskWire } from '#api/schemas/task.ts'
import { formatDay, formatUntil } from '../../format/dates.ts'
import { formatReminder } from '../../format/lead.ts'
import { zone } from '../../state/settings.ts'
import { keepMine, type Pending, pending, takeTheirs } from '../../state/task.ts'
import { minute } from '../../state/time.ts'
import { reasonOf, text } from '../../text/en.ts'
import { type TaskMember, taskText } from '../../text/task.ts'
import { Icon } from '../../ui/icons.tsx'

/** The button goes with its note, so the focus moves to the task. */
function decide(how: (id: number) => void, id: number): void {
  document.querySelector<HTMLElement>('.panel')?.focus({ preventScroll: true })
  how(id)
}

/** Shows what is not saved, and why: the user decides. */
export function Unsaved({ task }: { task: TaskWire }) {
  const waiting = pending.value.get(task.id)
  if (waiting?.conflict) return <Conflict id={task.id} conflict={waiting.conflict} />
  if (waiting?.error === undefined) return null
  return (
    <div class="note bad" role="alert">
      <Icon name="warning" />
      <b>{taskText.failed}</b>
      <span>{reasonOf(waiting.error)}</span>
      <div class="bar">
        <button class="btn" type="button" onClick={() => decide(keepMine, task.id)}>
          {text.tryAgain}
        </button>
        <button class="btn" type="button" onClick={() => decide(takeTheirs, task.id)}>
          {taskText.discard}
        </button>
      </div>
    </div>
  )
}

function Conflict({ id, conflict: { current, members } }: { id: number; conflict: NonNullable<Pending['conflict']> }) {
  const names = new Set(members.map((member) => (/^expiry/.test(member) ? 'expiry' : member) as TaskMember))
  return (
    <div class="note warn" role="alert">
      <Icon name="warning" />
      <b>{taskText.conflict}</b>
      <span>{taskText.conflictHint}</span>
      <dl class="theirs">
        {[...names].map((name) => (
          <div key={name}>
            <dt>{taskText.theirs(taskText.members[name])}</dt>
            <dd>
              <bdi>{formatMember(current, name) || taskText.empty}</bdi>
            </dd>
          </div>
        ))}
      </dl>
      <div class="bar">
        <button class="btn" type="button" onClick={() => decide(keepMine, id)}>
          {taskText.keepMine}
        </button>
        <button class="btn" type="button" onClick={() => decide(takeTheirs, id)}>
          {taskText.takeTheirs}
        </button>
      </div>
    </div>
  )
}

function formatMember(task: TaskWire, member: TaskMember): string {
  const options = { now: minute.value, zone: task.time_zone ?? zone() }
  switch (member) {
    case 'title':
      return task.title
    case 'description':
      return task.description ?? ''
    case 'tags':
      return task.tags.join(', ')
    case 'priority':
      return taskText.priorities[task.priority]
    case 'reminders':
      if (task.reminders === null) return taskText.reminderModes.default
      if (task.reminders.length === 0) return taskText.reminderModes.none
      return task.reminders.map((reminder) => formatReminder(reminder, options)).join(' · ')
    case 'expiry': {
      if (task.expiry_dt === null) return taskText.noExpiry
      const at = Date.parse(task.expiry_dt)
      if (task.expiry_date !== null) return formatDay(at - 1, options.now, options.zone)
      return formatUntil(at, options.now, options.zone)
    }
  }
}
