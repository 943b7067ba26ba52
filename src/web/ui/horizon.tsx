import { computed, signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { formatClock, formatDay, formatWeekday } from '../format/dates.ts'
import { formatExpiry } from '../format/expiry.ts'
import { href } from '../router.ts'
import { hourEnd, type Mark, type Range, ranges, type Tick, toMarks, toTicks } from '../state/horizon.ts'
import { zone } from '../state/settings.ts'
import { openTasks } from '../state/tasks.ts'
import { minute } from '../state/time.ts'
import { text } from '../text/en.ts'

const key = 'duebell-range'
const stored = localStorage.getItem(key) as Range | null

export const range = signal<Range>(stored !== null && ranges.includes(stored) ? stored : '24h')

const width = signal(728)

/** The smallest distance of two marks, in px; a finger needs more. */
const minGapPx = () => (width.value < 600 ? 44 : 28)

const marks = computed(() => toMarks(openTasks.value, minute.value, range.value, (100 * minGapPx()) / width.value))

/** The three ranges, beside the heading. */
export function RangeChoice() {
  return (
    <fieldset class="seg">
      <legend class="vh">{text.range}</legend>
      {ranges.map((one) => (
        <label key={one}>
          <input
            type="radio"
            name="range"
            checked={range.value === one}
            onChange={() => {
              range.value = one
              localStorage.setItem(key, one)
            }}
          />
          {text.ranges[one]}
        </label>
      ))}
    </fieldset>
  )
}

/** The line of time: what expires when, at a glance. The rows below are the same for small targets. */
export function Horizon() {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      width.value = entry?.contentRect.width || width.value
    })
    observer.observe(ref.current as Element)
    return () => observer.disconnect()
  }, [])
  const isPast = marks.value[0]?.tone === 'late'
  const isSoon = marks.value.some(({ tone }) => tone === 'soon')
  const at = minute.value
  return (
    <div class="horizon">
      <div class="track" ref={ref}>
        <div
          class={`base${isPast ? ' past' : ''}${isSoon ? ' soon' : ''}`}
          aria-hidden="true"
          style={{ '--h': `${hourEnd(range.value)}%` }}
        >
          <i />
          <i />
          <i />
        </div>
        <span class="now" aria-hidden="true">
          <span class="wide-only">{formatClock(at, zone())}</span>
        </span>
        <Flag />
        {visibleTicks().map((tick) => (
          <span class="tick" aria-hidden="true" key={tick.at} style={{ '--x': `${tick.x}%` }}>
            {tickText(tick)}
          </span>
        ))}
        <ol aria-label={text.onHorizon(text.rangeNames[range.value])}>
          {marks.value.map((mark) => (
            <MarkLink mark={mark} key={mark.tasks[0]?.id} />
          ))}
        </ol>
      </div>
    </div>
  )
}

/** The name of the first upcoming task, above its mark. */
function Flag() {
  const first = marks.value.find(({ tone }) => tone !== 'late')
  const task = first?.tasks[0]
  // Near the end of the line it would leave the page, and near now it would cover the time.
  if (!first || !task || first.tasks.length > 1 || first.x > 60 || (first.x - 8) * width.value < 5_600) return null
  return (
    <span class="flag wide-only" style={{ '--x': `${first.x}%` }} aria-hidden="true">
      <bdi>{task.title}</bdi>
    </span>
  )
}

/** The smallest distance of the beginnings of two ticks, in px. */
const minTickPx = 64

/** The last tick is at the end; before it, those that have room. */
function visibleTicks(): Tick[] {
  const ticks = toTicks(minute.value, range.value, zone())
  const last = ticks.at(-1) as Tick
  const shown: Tick[] = []
  for (const tick of ticks.slice(0, -1)) {
    const isClear = (other: Tick, px: number) => (Math.abs(tick.x - other.x) * width.value) / 100 >= px
    const before = shown.at(-1)
    if ((!before || isClear(before, minTickPx)) && isClear(last, 2 * minTickPx)) shown.push(tick)
  }
  return [...shown, last]
}

function tickText({ at, isDay }: Tick): string {
  if (range.value === '24h')
    return isDay ? `${formatWeekday(at, zone())} ${formatClock(at, zone())}` : formatClock(at, zone())
  return range.value === '7d' && at - minute.value < 6.5 * 86_400_000
    ? formatWeekday(at, zone())
    : formatDay(at, minute.value, zone())
}

/** A mark leads to its task, or to the row of its first one. */
function MarkLink({ mark: { x, tone, tasks } }: { mark: Mark }) {
  const [first] = tasks
  if (!first) return null
  const isMany = tasks.length > 1 || tone === 'late'
  return (
    <li class={tone} style={{ '--x': `${x}%` }}>
      <a
        class={isMany ? 'n' : undefined}
        href={isMany ? `#task-${first.id}` : href(`tasks/${first.id}`)}
        aria-label={nameOf(tone, tasks)}
        title={nameOf(tone, tasks)}
        onClick={(event) => {
          if (!isMany) return
          event.preventDefault()
          document.querySelector<HTMLElement>(`#task-${first.id} .t`)?.focus()
        }}
      >
        {isMany && <span>{tasks.length}</span>}
      </a>
    </li>
  )
}

function nameOf(tone: Mark['tone'], tasks: Mark['tasks']): string {
  if (tone === 'late') return text.expiredTasks(tasks.length)
  const whenOf = (task: Mark['tasks'][number] | undefined) =>
    (task && formatExpiry(task, { now: minute.value, zone: zone() })?.full) ?? ''
  if (tasks.length === 1) return `${tasks[0]?.title}, ${whenOf(tasks[0])}`
  return text.tasksFromTo(tasks.length, whenOf(tasks[0]), whenOf(tasks.at(-1)))
}
