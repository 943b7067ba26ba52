import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { fromWall, toWall } from '../../format/zone.ts'
import { zone } from '../../state/settings.ts'
import { type Edit, saveTask } from '../../state/task.ts'
import { taskText } from '../../text/task.ts'

interface Draft {
  readonly date: string
  /** Empty for a whole day. */
  readonly time: string
}

/** A date without a time means the end of the day. */
const endOfDay = '23:59'

function toDraft({ expiry_dt, expiry_date }: TaskWire, timeZone: string): Draft {
  if (expiry_date != null) return { date: expiry_date, time: '' }
  if (expiry_dt == null) return { date: '', time: '' }
  const wall = toWall(Date.parse(expiry_dt), timeZone)
  return { date: wall.slice(0, 10), time: wall.slice(11, 16) }
}

function toEdit({ date, time }: Draft, isDay: boolean, timeZone: string): Edit {
  if (date === '') return { expiry_dt: null, expiry_date: null }
  if (isDay) return { expiry_date: date }
  // The form in which the server has it: otherwise the own change would look like that of another.
  const at = new Date(fromWall(`${date}T${time || endOfDay}`, timeZone)).toISOString()
  return { expiry_date: null, expiry_dt: at }
}

/** The typing into the fields, until they are left. */
function useExpiryDraft(task: TaskWire, shown: TaskWire, timeZone: string) {
  const current = toDraft(shown, timeZone)
  const isDay = shown.expiry_date != null
  const [draft, render] = useState<Draft | null>(null)
  // Escape discards and leaves the field in one go, before the next rendering.
  const typing = useRef<{ draft: Draft | null; seen: TaskWire }>({ draft: null, seen: task })
  const set = (next: Draft | null) => {
    typing.current = { draft: next, seen: typing.current.draft === null ? task : typing.current.seen }
    render(next)
  }
  const save = (seen: TaskWire, next: Draft, isNextDay: boolean) => {
    set(null)
    saveTask(seen, toEdit(next, isNextDay, timeZone))
  }
  const commit = () => {
    const { draft: typed, seen } = typing.current
    const isChanged = typed !== null && (typed.date !== current.date || typed.time !== current.time)
    if (isChanged) save(seen, typed, isDay)
    else set(null)
  }
  const latest = useRef(commit)
  latest.current = commit
  useLayoutEffect(() => () => latest.current(), [])
  const { date, time } = draft ?? current
  return {
    date,
    time,
    isDay,
    // While a date is typed anew, the fields beside it stay.
    hasDate: date !== '' || current.date !== '',
    change: (next: Partial<Draft>) => set({ date, time, ...next }),
    discard: () => set(null),
    commit,
    setDay: (isNextDay: boolean) => save(task, { date: date || current.date, time }, isNextDay),
    remove: () => save(task, { date: '', time: '' }, false),
  }
}

/** When the task expires: a time or a whole day. It is saved when the fields are left, or by Enter. */
export function ExpiryField({ task, shown }: { task: TaskWire; shown: TaskWire }) {
  const timeZone = task.time_zone ?? zone()
  const field = useExpiryDraft(task, shown, timeZone)
  const { date, time, isDay, hasDate, change, discard, commit } = field

  return (
    <fieldset class="field">
      <legend class="vh">{taskText.members.expiry}</legend>
      <span aria-hidden="true">{taskText.members.expiry}</span>
      <div>
        <form
          class="bar"
          onSubmit={(event) => {
            event.preventDefault()
            commit()
          }}
          onKeyDown={({ key }) => {
            if (key === 'Escape') discard()
          }}
          onFocusOut={({ currentTarget, relatedTarget }) => {
            // A date that is half typed is no date: it would be taken for none.
            const isHalf = currentTarget.querySelector('input:invalid') !== null
            if (currentTarget.contains(relatedTarget as Node | null)) return
            if (isHalf) discard()
            else commit()
          }}
        >
          <input
            class="in auto"
            type="date"
            aria-label={taskText.date}
            value={date}
            max="9999-12-31"
            onInput={(event) => change({ date: event.currentTarget.value })}
          />
          {!isDay && hasDate && (
            <input
              class="in auto"
              type="time"
              aria-label={taskText.time}
              value={time}
              onInput={(event) => change({ time: event.currentTarget.value })}
            />
          )}
          {hasDate && (
            <label class="check s">
              <input type="checkbox" checked={isDay} onChange={(event) => field.setDay(event.currentTarget.checked)} />{' '}
              {taskText.wholeDay}
            </label>
          )}
          {hasDate && (
            <button class="btn text" type="button" aria-label={taskText.removeExpiry} onClick={field.remove}>
              {taskText.removeIt}
            </button>
          )}
          {/* Enter in a form of several fields needs a button. */}
          <button class="vh" type="submit" tabIndex={-1}>
            {taskText.save}
          </button>
        </form>
        {!isDay && hasDate && <p class="hint">{taskText.zoneOf(timeZone)}</p>}
      </div>
    </fieldset>
  )
}
