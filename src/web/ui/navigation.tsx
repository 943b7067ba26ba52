import { computed } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { dayOf } from '../format/zone.ts'
import { href, route, type ScreenName } from '../router.ts'
import { session, zone } from '../state/settings.ts'
import { openTasks } from '../state/tasks.ts'
import { minute } from '../state/time.ts'
import { text } from '../text/en.ts'
import { Icon } from './icons.tsx'

/** How many have expired, or expire today. */
const dueCount = computed(() => {
  const today = dayOf(minute.value, zone())
  return openTasks.value.filter(
    ({ expiry_dt }) => expiry_dt !== null && dayOf(Date.parse(expiry_dt) - 1, zone()) <= today,
  ).length
})

const maxTags = 6

/** The tags with the most open tasks. */
const topTags = computed(() => {
  const counts = new Map<string, number>()
  for (const { tags } of openTasks.value) for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1)
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, maxTags)
})

function NavLink({ to, path, children }: { to: ScreenName; path: string; children: ComponentChildren }) {
  return (
    <a href={href(path)} aria-current={route.value.name === to ? 'page' : undefined}>
      {children}
    </a>
  )
}

const Count = ({ of }: { of: number }) => (of > 0 ? <span class="n">{of}</span> : null)

/** On the left of wide screens. */
export function SideBar() {
  return (
    <nav class="side" aria-label={text.main}>
      <a class="brand" href={href('')}>
        <Icon name="expiring" /> Duebell
      </a>
      <NavLink to="expiring" path="">
        {text.expiring} <Count of={dueCount.value} />
      </NavLink>
      <NavLink to="all" path="all">
        {text.all} <Count of={openTasks.value.length} />
      </NavLink>
      <NavLink to="done" path="done">
        {text.done}
      </NavLink>
      {topTags.value.length > 0 && <h2>{text.tags}</h2>}
      {topTags.value.map(([tag, count]) => (
        <a href={href(`all?tag=${encodeURIComponent(tag)}`)} key={tag}>
          <bdi>{tag}</bdi> <span class="n">{count}</span>
        </a>
      ))}
      <h2>{text.server}</h2>
      <a href={href('docs')}>{text.api}</a>
      <p class="end">
        {session.value?.user?.name && (
          <>
            <bdi>{session.value.user.name}</bdi>
            <br />
          </>
        )}
        {zone()}
      </p>
    </nav>
  )
}

/** At the foot of phones. */
export function TabBar() {
  return (
    <nav class="tabs" aria-label={text.main}>
      <NavLink to="expiring" path="">
        <Icon name="expiring" />
        {text.expiring}
      </NavLink>
      <NavLink to="all" path="all">
        <Icon name="more" />
        {text.all}
      </NavLink>
      <NavLink to="done" path="done">
        <Icon name="check" />
        {text.done}
      </NavLink>
    </nav>
  )
}
