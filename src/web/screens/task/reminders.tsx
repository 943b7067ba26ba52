import { useState } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { formatReminder, type LeadUnit, leadUnits, toLead } from '../../format/lead.ts'
import { settings, zone } from '../../state/settings.ts'
import { saveTask } from '../../state/task.ts'
import { minute } from '../../state/time.ts'
import { taskText } from '../../text/task.ts'

const modes = ['default', 'none', 'list'] as const

/** The list begins with the defaults, or with this where there are none. */
const firstReminders = ['PT15M']

export function Reminders({ task, shown }: { task: TaskWire; shown: TaskWire }) {
  const own = settings.value
  const defaults = (shown.expiry_date == null ? own?.default_reminders : own?.default_day_reminders) ?? []
  const reminders = shown.reminders ?? null
  const mode = reminders === null ? 'default' : reminders.length === 0 ? 'none' : 'list'
  const format = (reminder: string) => formatReminder(reminder, { now: minute.value, zone: task.time_zone ?? zone() })
  const choose = (next: (typeof modes)[number]) => {
    const list = defaults.length > 0 ? [...defaults] : firstReminders
    saveTask(task, { reminders: next === 'default' ? null : next === 'none' ? [] : list })
  }
  return (
    <div class="field">
      <span>{taskText.members.reminders}</span>
      <div>
        <fieldset class="seg">
          <legend class="vh">{taskText.which}</legend>
          {modes.map((one) => (
            <label key={one}>
              <input type="radio" name="task-reminders" checked={one === mode} onChange={() => choose(one)} />
              {taskText.reminderModes[one]}
            </label>
          ))}
        </fieldset>
        {mode === 'default' && (
          <p class="hint">{taskText.defaultIs(defaults.map(format).join(' · ') || taskText.never)}</p>
        )}
        {mode === 'none' && <p class="hint">{taskText.noneHint}</p>}
        {mode === 'list' && reminders && (
          <>
            <ul class="tidy s">
              {reminders.map((reminder) => (
                <li key={reminder}>
                  <span class="lead">{format(reminder)}</span>
                  <button
                    class="btn text"
                    type="button"
                    aria-label={taskText.removeReminder(format(reminder))}
                    onClick={() => saveTask(task, { reminders: reminders.filter((other) => other !== reminder) })}
                  >
                    {taskText.removeIt}
                  </button>
                </li>
              ))}
            </ul>
            <AddReminder
              onAdd={(lead) => {
                if (!reminders.includes(lead)) saveTask(task, { reminders: [...reminders, lead] })
              }}
            />
          </>
        )}
        {mode !== 'none' && shown.expiry_dt == null && shown.expiry_date == null && (
          <p class="hint">{taskText.needsExpiry}</p>
        )}
      </div>
    </div>
  )
}

function AddReminder({ onAdd }: { onAdd: (lead: string) => void }) {
  const [isOpen, open] = useState(false)
  const [unit, setUnit] = useState<LeadUnit>('hours')
  if (!isOpen)
    return (
      <button class="btn text" type="button" onClick={() => open(true)}>
        {taskText.addReminder}
      </button>
    )
  return (
    <form
      class="bar new-lead"
      onSubmit={(event) => {
        event.preventDefault()
        const fields = new FormData(event.currentTarget)
        onAdd(toLead(Number(fields.get('count')), unit, String(fields.get('time') ?? '')))
        open(false)
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        open(false)
      }}
    >
      <input
        class="in auto"
        type="number"
        name="count"
        min={0}
        max={999}
        step={1}
        required
        defaultValue="1"
        aria-label={taskText.number}
        ref={focus}
      />
      <select
        class="in auto"
        aria-label={taskText.unit}
        value={unit}
        onChange={(event) => setUnit(event.currentTarget.value as LeadUnit)}
      >
        {leadUnits.map((one) => (
          <option key={one} value={one}>
            {taskText.unitNames[one]}
          </option>
        ))}
      </select>
      {(unit === 'days' || unit === 'weeks') && (
        <label class="check s">
          {taskText.at} <input class="in auto" type="time" name="time" aria-label={taskText.timeOfDay} />
        </label>
      )}
      <button class="btn" type="submit">
        {taskText.add}
      </button>
    </form>
  )
}

/** Once, as it appears: the same function at every render. */
const focus = (field: HTMLElement | null) => field?.focus()
