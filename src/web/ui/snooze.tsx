import { signal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { formatClock, formatUntil, formatWeekday } from '../format/dates.ts'
import { addDays, dayOf, fromWall, toWall } from '../format/zone.ts'
import { snoozeTask } from '../state/changes.ts'
import { zone } from '../state/settings.ts'
import { text } from '../text/en.ts'
import { Dialog } from './dialog.tsx'

const target = signal<TaskWire | null>(null)
const picking = signal<TaskWire | null>(null)

const menu = () => document.getElementById('snooze')

/** Opens the menu of a task beside a button. */
export function openSnooze(task: TaskWire, button: HTMLElement): void {
  target.value = task
  menu()?.showPopover({ source: button })
  menu()?.querySelector<HTMLElement>('button')?.focus()
}

interface Option {
  readonly label: string
  readonly until: number
  readonly shown: string
}

const minuteMs = 60_000

function options(): Option[] {
  const at = Date.now()
  const today = dayOf(at, zone())
  const inTime = (ms: number) => ({ until: at + ms, shown: formatClock(at + ms, zone()) })
  const tonight = fromWall(`${today}T20:00`, zone())
  const tomorrow = fromWall(`${addDays(today, 1)}T09:00`, zone())
  return [
    { label: text.minutes10, ...inTime(10 * minuteMs) },
    { label: text.hour1, ...inTime(60 * minuteMs) },
    ...(tonight > at ? [{ label: text.tonight, until: tonight, shown: formatClock(tonight, zone()) }] : []),
    {
      label: text.tomorrowMorning,
      until: tomorrow,
      shown: `${formatWeekday(tomorrow, zone())} ${formatClock(tomorrow, zone())}`,
    },
  ]
}

function snooze(task: TaskWire, until: number): void {
  snoozeTask(task, until, formatUntil(until, Date.now(), zone()))
}

/** One menu for all rows. */
export function SnoozeMenu() {
  const task = target.value
  return (
    <>
      <fieldset class="menu" popover="auto" id="snooze" aria-label={text.snooze}>
        {task && (
          <>
            {options().map(({ label, until, shown }) => (
              <button
                type="button"
                key={label}
                onClick={() => {
                  menu()?.hidePopover()
                  snooze(task, until)
                }}
              >
                {label} <span class="mute">{shown}</span>
              </button>
            ))}
            <button
              type="button"
              onClick={() => {
                menu()?.hidePopover()
                picking.value = task
              }}
            >
              {text.pickTime}
            </button>
          </>
        )}
      </fieldset>
      {picking.value && <PickTime task={picking.value} />}
    </>
  )
}

function PickTime({ task }: { task: TaskWire }) {
  const input = useRef<HTMLInputElement>(null)
  const close = () => {
    picking.value = null
  }
  return (
    <Dialog title={text.snooze} onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const field = input.current as HTMLInputElement
          const until = fromWall(field.value, zone())
          field.setCustomValidity(until > Date.now() ? '' : text.inPast)
          if (!field.reportValidity()) return
          close()
          snooze(task, until)
        }}
      >
        <label>
          <span class="lab">{text.until}</span>
          <input
            class="in"
            type="datetime-local"
            required
            ref={input}
            defaultValue={toWall(Date.now() + 60 * minuteMs, zone()).slice(0, 16)}
            onInput={(event) => event.currentTarget.setCustomValidity('')}
          />
        </label>
        <div class="bar right">
          <button class="btn" type="button" onClick={close}>
            {text.cancel}
          </button>
          <button class="btn go" type="submit">
            {text.snooze}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
