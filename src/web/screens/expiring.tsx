import { computed, signal } from '@preact/signals'
import type { TaskWire } from '#api/schemas/task.ts'
import { href } from '../router.ts'
import { draft, focusQuickAdd } from '../state/draft.ts'
import { type GroupName, groupNames, groupTasks } from '../state/groups.ts'
import { rowKeys, useKeys } from '../state/keys.ts'
import { zone } from '../state/settings.ts'
import { lingering, loading, openTasks, reload, tasks } from '../state/tasks.ts'
import { minute } from '../state/time.ts'
import { text } from '../text/en.ts'
import { Horizon, RangeChoice } from '../ui/horizon.tsx'
import { ErrorNote, Skeleton } from '../ui/notes.tsx'
import { Page } from '../ui/page.tsx'
import { Expiry, Row } from '../ui/row.tsx'

/** Open tasks, and those that were just completed in their old place. */
const shownTasks = computed(() => {
  const left = [...lingering.value].flatMap((id) => tasks.value.get(id) ?? [])
  if (left.length === 0) return openTasks.value
  const all = new Set([...openTasks.value, ...left])
  return [...all].sort((a, b) => ((a.expiry_dt ?? '~') < (b.expiry_dt ?? '~') ? -1 : 1))
})

const groups = computed(() => groupTasks(shownTasks.value, minute.value, zone()))

/** The first screen: it shows what expires, and when. */
export function Expiring() {
  useKeys(rowKeys)
  const state = loading.value
  return (
    <Page
      title={text.expiring}
      aside={<RangeChoice />}
      lead={state === 'ready' ? <Lead /> : '\u00a0'}
      above={<Horizon />}
    >
      {state === 'loading' && <Skeleton />}
      {typeof state === 'object' && <ErrorNote error={state.error} onRetry={reload} />}
      {state === 'ready' && (shownTasks.value.length === 0 ? <FirstRun /> : <Groups />)}
    </Page>
  )
}

const dayMs = 86_400_000

/** One line that answers the first question: what has expired, and what is next? */
function Lead() {
  const expired = openTasks.value.filter(({ expiry_dt }) => expiry_dt !== null && Date.parse(expiry_dt) <= minute.value)
  const next = openTasks.value[expired.length]
  const isSoon = next?.expiry_dt != null && Date.parse(next.expiry_dt) - minute.value <= dayMs
  return (
    <>
      {expired.length > 0 && <span class="late">{text.expiredLead(expired.length)} </span>}
      {!isSoon && expired.length === 0 && `${text.nothingSoon} `}
      {next?.expiry_dt != null && (
        <>
          {text.next}{' '}
          <a class="name" href={href(`tasks/${next.id}`)}>
            <bdi>{next.title}</bdi>
          </a>{' '}
          <Expiry task={next} />
        </>
      )}
    </>
  )
}

/** How many rows of a group are drawn at first, and how many more at a time: thousands would take seconds. */
const pageSize = 100
const limits = signal<Partial<Record<GroupName, number>>>({})

export function Groups() {
  return (
    <>
      {groupNames.map((name) => {
        const all = groups.value.get(name)
        return all && <Group key={name} name={name} all={all} />
      })}
    </>
  )
}

const tones: Partial<Record<GroupName, string>> = { expired: 'late', hour: 'soon' }

function Group({ name, all }: { name: GroupName; all: readonly TaskWire[] }) {
  const limit = limits.value[name] ?? pageSize
  const count = <span class="n">{all.length}</span>
  const rows = (
    <>
      <ul>
        {all.slice(0, limit).map((task) => (
          <Row task={task} key={task.id} isDayKnown={name === 'tomorrow'} />
        ))}
      </ul>
      {all.length > limit && (
        <button
          class="btn text"
          type="button"
          onClick={() => {
            limits.value = { ...limits.value, [name]: limit + pageSize }
          }}
        >
          {text.showMore(Math.min(pageSize, all.length - limit))}
        </button>
      )}
    </>
  )
  if (name === 'none')
    return (
      <details class="group">
        <summary>
          {text.groups[name]} {count}
        </summary>
        {rows}
      </details>
    )
  return (
    <section class="group">
      <h2 class={tones[name]}>
        {text.groups[name]} {count}
      </h2>
      {rows}
    </section>
  )
}

/** Before the first task: examples to begin with. */
function FirstRun() {
  return (
    <div class="empty">
      <p>
        <b>{text.nothingYet}</b>
      </p>
      <p class="s mute">{text.nothingYetHint}</p>
      <ul class="eg">
        {text.examples.map((example) => (
          <li key={example}>
            <button
              type="button"
              onClick={() => {
                draft.value = example
                focusQuickAdd()
              }}
            >
              {example}
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}
