import {
  type Expiry,
  expiryOf,
  firstSettings,
  instantOf,
  type ModelSeries,
  nextOccurrence,
  type Reminders,
  reminderAt,
  type Settings,
  startOf,
  toExpiry,
  zones,
} from './reminder-times.ts'

/**
 * A second implementation of firing, from the rules in the documentation and without the code in src/. The server keeps one number for each
 * task and one timer; this keeps every notification and checks everything each time.
 * - A task's reminders are its own or the default ones, counted from its expiry.
 * - Reminders that are due when they are saved fire once, for the latest of them; later ones fire when they are due.
 * - Reminders that have fired for an expiry stay fired: a return to it does not fire again, and neither does a reminder that is added to it
 * in the past.
 * - Completed and deleted tasks do not fire. A snooze is one more instant, ended by completing the task or moving the expiry.
 * - Reminders missed during downtime fire once for each task;
 *   - a completed recurring task has one next task, at the first date of its series after now and its expiry, or so many days after the
 *     completion; reopening takes that back while it is unchanged; skipping moves the task itself.
 * - A task that expires on a day expires with its last second in the zone of the user. Its reminders count from the user's time of day.
 * - In another zone the days of open tasks end at other instants, and their notifications move with them. Reminders that lie ahead there
 * fire, again if need be. Completed tasks follow when they are written.
 */
export interface ModelTask {
  readonly id: number
  expiryAt: number | null
  day: number | null
  wall: number | null
  reminders: Reminders | null
  isDone: boolean
  snoozedUntilAt: number | null
  /** Up to here all reminders of the current expiry have fired, or were added too late. */
  notifiedUntilAt: number | null
  series: ModelSeries | null
  nextId: number | null
  /** As the server answered it last. */
  version: number
}

export interface ModelNotification {
  readonly taskId: number
  expiryAt: number
  /** Where the day ended before it moved: deliveries from then name that. */
  readonly earlierExpiries: number[]
  readonly dueAt: number
  /** It fired while nothing prevented its delivery, so it has arrived by now. */
  readonly mustHaveArrived: boolean
}

export class ReminderModel {
  now: number
  defaults: Reminders
  settings = firstSettings
  isChannelUp = true
  wasChannelDown = false
  readonly tasks = new Map<number, ModelTask>()
  readonly notifications: ModelNotification[] = []

  constructor(now: number, defaults: Reminders) {
    this.now = now
    this.defaults = defaults
  }

  get offset(): number {
    return zones[this.settings.zone]
  }

  /** Every instant at which a task fires for its current expiry, past and future. */
  instants(task: ModelTask): number[] {
    if (task.expiryAt === null || task.isDone) return []
    const all = task.reminders ?? (task.day === null ? this.defaults : this.settings.dayReminders)
    const found = all.map((reminder) =>
      typeof reminder === 'number' ? reminder : reminderAt(reminder, task, this.settings),
    )
    return task.snoozedUntilAt === null ? found : [...found, task.snoozedUntilAt]
  }

  undelivered(task: ModelTask): number[] {
    const { notifiedUntilAt } = task
    const ahead = this.instants(task).filter((at) => notifiedUntilAt === null || at > notifiedUntilAt)
    return [...new Set(ahead)].sort((a, b) => a - b)
  }

  create(
    id: number,
    expiry: Expiry,
    reminders: Reminders | null,
    series: Pick<ModelSeries, 'days' | 'from'> | null = null,
  ): void {
    const start = startOf(expiry, this.offset)
    this.add(id, expiry, reminders, series && { ...series, start, scheduled: start })
  }

  private add(id: number, expiry: Expiry, reminders: Reminders | null, series: ModelSeries | null): void {
    const task: ModelTask = {
      id,
      expiryAt: instantOf(expiry, this.offset),
      day: expiry && 'day' in expiry ? expiry.day : null,
      wall: expiry && 'at' in expiry ? (expiry.wall ?? null) : null,
      reminders,
      isDone: false,
      snoozedUntilAt: null,
      notifiedUntilAt: null,
      series,
      nextId: null,
      version: 1,
    }
    this.tasks.set(id, task)
    this.fireDueTasks(task)
  }

  change(task: ModelTask, expiry: Expiry, reminders: Reminders | null): void {
    const expiryAt = instantOf(expiry, this.offset)
    const day = expiry && 'day' in expiry ? expiry.day : null
    const hasOthers = JSON.stringify(reminders) !== JSON.stringify(task.reminders)
    task.reminders = reminders
    if (expiryAt !== task.expiryAt && (day === null || day !== task.day)) {
      task.expiryAt = expiryAt
      task.day = day
      task.wall = expiry && 'at' in expiry ? (expiry.wall ?? null) : null
      task.snoozedUntilAt = null
      const fired = this.notifications.filter((one) => one.taskId === task.id && one.expiryAt === expiryAt)
      task.notifiedUntilAt = fired.length > 0 ? Math.max(...fired.map(({ dueAt }) => dueAt)) : null
    } else if (this.moveEnd(task) || hasOthers) this.leaveThePast(task)
    this.fireDueTasks(task)
  }

  /** A write that changes neither the expiry nor the reminders. */
  touch(task: ModelTask): void {
    this.change(task, expiryOf(task), task.reminders)
  }

  /** The day of a task ends at another instant in another zone. @returns whether it does */
  private moveEnd(task: ModelTask): boolean {
    const { id, expiryAt: from } = task
    const to = instantOf(expiryOf(task), this.offset)
    if (from === null || to === null || from === to) return false
    task.expiryAt = to
    const own = this.notifications.filter(({ taskId }) => taskId === id)
    const taken = new Set(own.filter(({ expiryAt }) => expiryAt === to).map(({ dueAt }) => dueAt))
    for (const one of own) {
      if (one.expiryAt !== from || taken.has(one.dueAt)) continue
      one.earlierExpiries.push(from)
      one.expiryAt = to
    }
    return true
  }

  changeSettings(settings: Settings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.settings)) return
    this.settings = settings
    for (const task of this.tasks.values()) {
      if (task.isDone || task.expiryAt === null) continue
      if (this.moveEnd(task)) task.version++
      this.leaveThePast(task)
      this.fireDueTasks(task)
    }
  }

  /** @param nextId the id of the task that the server has created by it */
  complete(task: ModelTask, nextId: number | null): void {
    if (!task.isDone) task.snoozedUntilAt = null
    const isContinued = !task.isDone && task.nextId === null
    task.isDone = true
    const next = isContinued ? nextOccurrence(task, this, this.now) : undefined
    if (!next) return
    if (nextId === null) throw new Error(`task ${task.id} has no next task`)
    task.nextId = nextId
    this.add(nextId, toExpiry(next.scheduled, this.offset), leadsOf(task), next)
  }

  reopen(task: ModelTask): void {
    const next = this.tasks.get(task.nextId ?? 0)
    if (task.isDone && next?.version === 1 && !next.isDone) {
      this.tasks.delete(next.id)
      task.nextId = null
    }
    task.isDone = false
    this.touch(task)
  }

  skip(task: ModelTask): void {
    const next = nextOccurrence(task, this, Math.max(this.now, task.expiryAt ?? 0))
    if (!next) return
    task.series = next
    this.change(task, toExpiry(next.scheduled, this.offset), leadsOf(task))
  }

  snooze(task: ModelTask, until: number): void {
    task.snoozedUntilAt = until
  }

  /** Time passes while the server runs. */
  advance(until: number): void {
    this.now = until
    for (const task of this.tasks.values())
      for (const at of this.undelivered(task)) if (at <= until) this.fire(task, at)
  }

  /** Time passed during downtime, and the server starts again. */
  comeBack(now: number, defaults: Reminders): void {
    this.now = now
    const hasOthers = JSON.stringify(defaults) !== JSON.stringify(this.defaults)
    const missed = new Set([...this.tasks.values()].filter((task) => this.undelivered(task).some((at) => at <= now)))
    this.defaults = defaults
    for (const task of this.tasks.values()) {
      // Tasks with missed reminders fire for the latest, by the current reminders; others fire only for later ones.
      if (hasOthers && !missed.has(task) && !task.isDone && task.expiryAt !== null) this.leaveThePast(task)
      this.fireDueTasks(task)
    }
  }

  /** Other reminders than before: for an expiry that has fired, past ones are not fired afterwards. */
  leaveThePast(task: ModelTask): void {
    if (task.notifiedUntilAt !== null) task.notifiedUntilAt = Math.max(task.notifiedUntilAt, this.now)
  }

  fireDueTasks(task: ModelTask): void {
    const last = this.undelivered(task).findLast((at) => at <= this.now)
    if (last !== undefined) this.fire(task, last)
  }

  fire(task: ModelTask, dueAt: number): void {
    const { id: taskId, expiryAt } = task
    if (expiryAt === null) return
    task.notifiedUntilAt = dueAt
    this.notifications.push({ taskId, expiryAt, earlierExpiries: [], dueAt, mustHaveArrived: this.isChannelUp })
  }

  /** Whether the content of a notification is true now. */
  isTrue({ taskId, expiryAt }: { taskId: number; expiryAt: number }): boolean {
    const task = this.tasks.get(taskId)
    return task !== undefined && !task.isDone && task.expiryAt === expiryAt
  }
}

/** An instant was meant for the occurrence that it was given for. */
const leadsOf = ({ reminders }: ModelTask) => reminders?.filter((reminder) => typeof reminder === 'string') ?? null
