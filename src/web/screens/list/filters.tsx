import { computed } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { navigate } from '../../router.ts'
import { filter } from '../../state/all.ts'
import { type Filter, isNarrow, noFilter, pathOf, priorities, type Sort, sorts, statuses } from '../../state/filter.ts'
import { clearSelection } from '../../state/selection.ts'
import { openTasks } from '../../state/tasks.ts'
import { text } from '../../text/all.ts'
import { Icon } from '../../ui/icons.tsx'

export const focusSearch = () => document.querySelector<HTMLInputElement>('#search')?.select()

/** Goes to the list with another filter. While the user types, it leaves no entry in the history. */
function change(to: Partial<Filter>, { replace = false } = {}): void {
  clearSelection()
  navigate(pathOf({ ...filter.value, ...to }), { replace })
}

export const clearFilters = () => change({ q: '', tags: [], priority: null })

/** All tags of open tasks, those with the most first. */
const tagCounts = computed(() => {
  const counts = new Map<string, number>()
  for (const { tags } of openTasks.value) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1)
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
})

/** Search, and what narrows the list. All of it is in the address. */
export function Filters() {
  return (
    <search class="filters" aria-label={text.filters}>
      <Search />
      <div class="bar">
        <StatusChoice />
        <TagMenu />
        <PriorityMenu />
        <SortChoice />
      </div>
      <Chips />
    </search>
  )
}

function Search() {
  return (
    <div class="find-in">
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.2 3.2" />
      </svg>
      <input
        class="in"
        id="search"
        type="search"
        maxLength={200}
        aria-label={text.search}
        placeholder={text.searchHint}
        autocomplete="off"
        enterkeyhint="search"
        value={filter.value.q}
        onInput={(event) => change({ q: event.currentTarget.value }, { replace: true })}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.isComposing) document.querySelector<HTMLElement>('main .row .t')?.focus()
          if (event.key !== 'Escape') return
          event.preventDefault()
          if (filter.value.q === '') event.currentTarget.blur()
          else change({ q: '' }, { replace: true })
        }}
      />
      <kbd>/</kbd>
    </div>
  )
}

function StatusChoice() {
  return (
    <fieldset class="seg">
      <legend class="vh">{text.status}</legend>
      {statuses.map((status) => (
        <label key={status}>
          <input
            type="radio"
            name="status"
            checked={filter.value.status === status}
            onChange={() => change({ status })}
          />
          {text.statuses[status]}
        </label>
      ))}
    </fieldset>
  )
}

const Down = () => (
  <svg class="down" viewBox="0 0 16 16" aria-hidden="true">
    <path d="m4.5 6.5 3.5 3.5 3.5-3.5" />
  </svg>
)

interface MenuProps {
  readonly id: string
  readonly label: string
  readonly name: string
  readonly children: ComponentChildren
}

function Menu({ id, label, name, children }: MenuProps) {
  return (
    <>
      <button class="btn" type="button" popovertarget={id} aria-haspopup="true">
        {label}
        <Down />
      </button>
      <fieldset class="menu" popover="auto" id={id} aria-label={name}>
        {children}
      </fieldset>
    </>
  )
}

function TagMenu() {
  const { tags } = filter.value
  const left = tagCounts.value.filter(([tag]) => !tags.includes(tag))
  if (left.length === 0) return null
  return (
    <Menu id="tag-filter" label={text.tag} name={text.tagFilter}>
      {left.map(([tag, count]) => (
        <button type="button" key={tag} onClick={() => change({ tags: [...tags, tag] })}>
          <bdi>{tag}</bdi> <span class="mute">{count}</span>
        </button>
      ))}
    </Menu>
  )
}

function PriorityMenu() {
  return (
    <Menu id="priority-filter" label={text.priority} name={text.priorityFilter}>
      {priorities.map((priority) => (
        <button
          type="button"
          key={priority}
          aria-pressed={filter.value.priority === priority}
          onClick={() => change({ priority })}
        >
          {text.priorities[priority]}
        </button>
      ))}
    </Menu>
  )
}

function SortChoice() {
  return (
    <label class="sort">
      <span class="vh">{text.sort}</span>
      <select
        class="in auto"
        value={filter.value.sort}
        onChange={(event) => change({ sort: event.currentTarget.value as Sort })}
      >
        {(Object.keys(sorts) as Sort[]).map((sort) => (
          <option key={sort} value={sort}>
            {text.sorts[sort]}
          </option>
        ))}
      </select>
      <Down />
    </label>
  )
}

/** The filters that are set, each with a button that takes it back. */
function Chips() {
  const { tags, priority } = filter.value
  if (tags.length === 0 && priority === null) return null
  return (
    <ul class="chips" aria-label={text.activeFilters}>
      {tags.map((tag) => (
        <Chip
          key={tag}
          label={text.removeTagFilter(tag)}
          onRemove={() => change({ tags: tags.filter((one) => one !== tag) })}
        >
          <bdi>{tag}</bdi>
        </Chip>
      ))}
      {priority && (
        <Chip label={text.removePriorityFilter} onRemove={() => change({ priority: noFilter.priority })}>
          {text.priorityChip[priority]}
        </Chip>
      )}
      {isNarrow(filter.value) && (
        <li>
          <button class="btn text" type="button" onClick={clearFilters}>
            {text.clearFilters}
          </button>
        </li>
      )}
    </ul>
  )
}

function Chip({ label, onRemove, children }: { label: string; onRemove: () => void; children: ComponentChildren }) {
  return (
    <li class="chip">
      {children}
      <button type="button" aria-label={label} onClick={onRemove}>
        <Icon name="close" />
      </button>
    </li>
  )
}
