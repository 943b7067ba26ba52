import './list/list.css'
import { effect } from '@preact/signals'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { href } from '../router.ts'
import { filter, list, openFiltered, rows } from '../state/all.ts'
import { isNarrow, pathOf } from '../state/filter.ts'
import { type Key, rowKeys, useKeys } from '../state/keys.ts'
import { clearSelection, isSelecting, selected, selectTo, toggle } from '../state/selection.ts'
import { text } from '../text/all.ts'
import { text as common } from '../text/en.ts'
import { ErrorNote, Skeleton } from '../ui/notes.tsx'
import { Page } from '../ui/page.tsx'
import { Row } from '../ui/row.tsx'
import { clearFilters, Filters, focusSearch } from './list/filters.tsx'
import { InAll } from './list/in-all.tsx'
import { More, Rows } from './list/rows.tsx'
import { SelectBar } from './list/select-bar.tsx'

const idOf = (element: Element | null) => Number(/^task-(\d+)$/.exec(element?.closest('.row')?.id ?? '')?.[1])

function atFocus(run: (id: number) => void): void {
  const id = idOf(document.activeElement)
  if (Number.isInteger(id)) run(id)
}

const order = () => rows.value.map(({ id }) => id)

const ownKeys: readonly Key[] = [
  ...rowKeys,
  { key: '/', label: text.keys.search, run: focusSearch },
  { key: 'x', label: text.keys.select, run: () => atFocus(toggle) },
  { key: 'X', label: text.keys.selectTo, run: () => atFocus((id) => selectTo(id, order())) },
]

const isChoosing = () => isSelecting.value || selected.value.size > 0

/** All tasks: search, filter, sort, and change many at once. */
export function All() {
  useKeys(ownKeys)
  useLayoutEffect(() => {
    const unfollow = list.follow()
    const stop = effect(() => {
      openFiltered()
    })
    return () => {
      stop()
      unfollow()
      clearSelection()
    }
  }, [])
  return (
    <Page title={common.all} lead={<Lead />} aside={<SelectButton />}>
      <Filters />
      <Content />
      {isChoosing() && <SelectBar />}
    </Page>
  )
}

/** How many there are; a search says that it found them. */
function Lead() {
  const count = list.total.value
  if (list.state.value !== 'ready') return <>{'\u00a0'}</>
  if (count === null) return <>{text.manyMatch}</>
  const what = text.counts[filter.value.status](count)
  return <span role="status">{isNarrow(filter.value) ? text.matching(what) : what}</span>
}

function SelectButton() {
  if (isChoosing() || rows.value.length === 0) return null
  return (
    <button
      class="btn"
      type="button"
      onClick={() => {
        isSelecting.value = true
      }}
    >
      {text.select}
    </button>
  )
}

function Content() {
  const state = list.state.value
  if (state === 'loading') return <Skeleton />
  if (state !== 'ready') return <ErrorNote error={state.error} onRetry={list.reopen} />
  if (rows.value.length === 0 && list.more.value === 'none') return <Empty />
  return <AllRows />
}

function AllRows() {
  const ref = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = ref.current as HTMLElement
    // Before the link of the row has it.
    element.addEventListener('click', onClick, { capture: true })
    // A range of rows, and not of text.
    element.addEventListener('mousedown', (event) => event.shiftKey && event.preventDefault())
  }, [])
  return (
    <div class="all-rows" ref={ref}>
      <Rows tasks={rows.value} row={(task) => <AllRow task={task} key={task.id} />} />
      <More list={list} />
    </div>
  )
}

/** With shift a click selects a range; while rows are selected, a click on a title selects it. Enter still opens the task. */
function onClick(event: MouseEvent): void {
  const target = event.target as Element
  const id = idOf(target)
  if (!Number.isInteger(id) || event.ctrlKey || event.metaKey || event.altKey) return
  const isTitle = target.closest('.t') !== null
  const isByPointer = event.detail > 0
  if (!isByPointer || !(event.shiftKey || (isTitle && isChoosing()))) return
  event.preventDefault()
  event.stopPropagation()
  if (event.shiftKey) selectTo(id, order())
  else toggle(id)
}

function AllRow({ task }: { task: TaskWire }) {
  const box = isChoosing() && (
    <input
      class="pick"
      type="checkbox"
      checked={selected.value.has(task.id)}
      aria-label={text.selectOf(task.title)}
      onChange={() => toggle(task.id)}
    />
  )
  return <Row task={task} box={box || undefined} />
}

function Empty() {
  const { q, tags, status } = filter.value
  if (!isNarrow(filter.value))
    return (
      <div class="empty">
        <p>
          <b>{text.none[status]}</b>
        </p>
        <p class="s mute">{text.noneHint}</p>
      </div>
    )
  return (
    <div class="empty">
      <p>
        <b>{text.noMatch(status, q.trim(), tags)}</b>
      </p>
      {status !== 'all' && (
        <InAll filter={filter.value}>
          {(count) => (
            <p class="s mute">
              <a href={href(pathOf({ ...filter.value, status: 'all' }))}>{text.inAll(count)}</a> {text.inAllHint(count)}
            </p>
          )}
        </InAll>
      )}
      <button class="btn gap-t" type="button" onClick={clearFilters}>
        {text.clearFilters}
      </button>
    </div>
  )
}
