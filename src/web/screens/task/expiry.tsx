import { useEffect, useRef, useState } from 'preact/hooks'
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

/** When the task expires: a time or a whole day. It is saved when the fields are left, or by Enter. */
export function ExpiryField({ task, shown }: { task: TaskWire; shown: TaskWire }) {
  const timeZone = task.time_zone ?? zone()
  const current = toDraft(shown, timeZone)
  const [draft, setDraft] = useState<Draft | null>(null)
  const seen = useRef(task)
  const { date, time } = draft ?? current
  const isDay = shown.expiry_date != null

  const change = (next: Partial<Draft>) => {
    if (draft === null) seen.current = task
    setDraft({ date, time, ...next })
  }
  const commit = () => {
    setDraft(null)
    if (draft === null || (draft.date === current.date && draft.time === current.time)) return
    saveTask(seen.current, toEdit(draft, isDay, timeZone))
  }
  const latest = useRef(commit)
  latest.current = commit
  useEffect(() => () => latest.current(), [])

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
          onFocusOut={({ currentTarget, relatedTarget }) => {
            // A date that is half typed is no date: it would be taken for none.
            const isHalf = currentTarget.querySelector('input:invalid') !== null
            if (currentTarget.contains(relatedTarget as Node | null)) return
            if (isHalf) setDraft(null)
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
          {!isDay && date !== '' && (
            <input
              class="in auto"
              type="time"
              aria-label={taskText.time}
              value={time}
              onInput={(event) => change({ time: event.currentTarget.value })}
            />
          )}
          {date !== '' && (
            <label class="check s">
              <input
                type="checkbox"
                checked={isDay}
                onChange={(event) => {
                  setDraft(null)
                  saveTask(task, toEdit({ date, time }, event.currentTarget.checked, timeZone))
                }}
              />{' '}
              {taskText.wholeDay}
            </label>
          )}
          {date !== '' && (
            <button
              class="btn text"
              type="button"
              aria-label={taskText.removeExpiry}
              onClick={() => {
                setDraft(null)
                saveTask(task, { expiry_dt: null, expiry_date: null })
              }}
            >
              {taskText.removeIt}
            </button>
          )}
          {/* Enter in a form of several fields needs a button. */}
          <button class="vh" type="submit" tabIndex={-1}>
            {taskText.save}
          </button>
        </form>
        {!isDay && date !== '' && <p class="hint">{taskText.zoneOf(timeZone)}</p>}
      </div>
    </fieldset>
  )
}
