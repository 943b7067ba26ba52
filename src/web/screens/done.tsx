import './list/list.css'
import { useLayoutEffect } from 'preact/hooks'
import type { TaskWire } from '#api/schemas/task.ts'
import { formatClock, formatDay, formatFull } from '../format/dates.ts'
import { dayOf, daysBetween, fromWall } from '../format/zone.ts'
import { reopenTask } from '../state/changes.ts'
import { days, list, openDone } from '../state/done.ts'
import { rowKeys, useKeys } from '../state/keys.ts'
import { zone } from '../state/settings.ts'
import { minute } from '../state/time.ts'
import { text } from '../text/all.ts'
import { text as common } from '../text/en.ts'
import { ErrorNote, Skeleton } from '../ui/notes.tsx'
import { Page } from '../ui/page.tsx'
import { Row } from '../ui/row.tsx'
import { More, Rows } from './list/rows.tsx'

/** Completed tasks, newest first, by day. */
export function Done() {
  useKeys(rowKeys)
  useLayoutEffect(() => {
    openDone()
    return list.follow()
  }, [])
  const count = list.total.value
  const isReady = list.state.value === 'ready'
  return (
    <Page title={common.done} lead={isReady && count !== null ? text.counts.completed(count) : '\u00a0'}>
      <Content />
    </Page>
  )
}

function Content() {
  const state = list.state.value
  if (state === 'loading') return <Skeleton />
  if (state !== 'ready') return <ErrorNote error={state.error} onRetry={list.reopen} />
  if (days.value.size === 0 && list.more.value === 'none')
    return (
      <div class="empty">
        <p>
          <b>{text.doneEmpty}</b>
        </p>
        <p class="s mute">{text.doneEmptyHint}</p>
      </div>
    )
  return (
    <>
      {[...days.value].map(([day, tasks]) => (
        <section class="group" key={day}>
          <h2>
            {nameOf(day)} <span class="n">{tasks.length}</span>
          </h2>
          <Rows tasks={tasks} row={(task) => <DoneRow task={task} key={task.id} />} />
        </section>
      ))}
      <More list={list} />
    </>
  )
}

function nameOf(day: string): string {
  const past = daysBetween(day, dayOf(minute.value, zone()))
  if (past === 0) return text.today
  if (past === 1) return text.yesterday
  return formatDay(fromWall(`${day}T12:00`, zone()), minute.value, zone())
}

function DoneRow({ task }: { task: TaskWire }) {
  const at = Date.parse(task.completed_dt as string)
  const when = (
    <time dateTime={task.completed_dt as string} title={formatFull(at, zone(), true)}>
      {formatClock(at, zone())}
    </time>
  )
  const action = (
    <div class="acts">
      <button class="btn" type="button" aria-label={text.reopenOf(task.title)} onClick={() => reopenTask(task)}>
        {text.reopen}
      </button>
    </div>
  )
  return <Row task={task} when={when} action={action} />
}
