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
 */
export type Reminders = readonly (string | number)[]

/** Every so many days, in UTC. */
export interface ModelSeries {
  readonly days: number
  readonly from: 'expiry' | 'completion'
  readonly startAt: number
  readonly scheduledAt: number
}

export interface ModelTask {
  readonly id: number
  expiryAt: number | null
  reminders: Reminders | null
  isDone: boolean
  snoozedUntilAt: number | null
  /** Up to here all reminders of the current expiry have fired, or were added too late. */
  notifiedUntilAt: number | null
  series: ModelSeries | null
  nextId: number | null
  /** As the server answered it last. */
  version: number
  /** The latest that fired, for every expiry that the task ever had. */
  readonly fired: Map<number, number>
}

export interface ModelNotification {
  readonly taskId: number
  readonly expiryAt: number
  readonly dueAt: number
  /** It fired while nothing prevented its delivery, so it has arrived by now. */
  readonly mustHaveArrived: boolean
}

const leads: Record<string, number> = {
  PT0S: 0,
  PT5M: 5,
  PT10M: 10,
  PT15M: 15,
  PT30M: 30,
  PT1H: 60,
  P1D: 1_440,
  '-PT20M': -20,
}
const dayMs = 86_400_000

export class ReminderModel {
  now: number
  defaults: Reminders
  isChannelUp = true
  wasChannelDown = false
  readonly tasks = new Map<number, ModelTask>()
  readonly notifications: ModelNotification[] = []

  constructor(now: number, defaults: Reminders) {
    this.now = now
    this.defaults = defaults
  }

  /** Every instant at which a task fires for its current expiry, past and future. */
  instants({ expiryAt, reminders, isDone, snoozedUntilAt }: ModelTask): number[] {
    if (expiryAt === null || isDone) return []
    const found = (reminders ?? this.defaults).map((reminder) =>
      typeof reminder === 'number' ? reminder : expiryAt - (leads[reminder] as number) * 60_000,
    )
    return snoozedUntilAt === null ? found : [...found, snoozedUntilAt]
  }

  undelivered(task: ModelTask): number[] {
    const { notifiedUntilAt } = task
    const ahead = this.instants(task).filter((at) => notifiedUntilAt === null || at > notifiedUntilAt)
    return [...new Set(ahead)].sort((a, b) => a - b)
  }

  create(
    id: number,
    expiryAt: number | null,
    reminders: Reminders | null,
    series: Pick<ModelSeries, 'days' | 'from'> | null = null,
  ): void {
    const start = expiryAt ?? 0
    this.add(id, expiryAt, reminders, series && { ...series, startAt: start, scheduledAt: start })
  }

  private add(id: number, expiryAt: number | null, reminders: Reminders | null, series: ModelSeries | null): void {
    const task: ModelTask = {
      id,
      expiryAt,
      reminders,
      isDone: false,
      snoozedUntilAt: null,
      notifiedUntilAt: null,
      series,
      nextId: null,
      version: 1,
      fired: new Map(),
    }
    this.tasks.set(id, task)
    this.fireDueTasks(task)
  }

  change(task: ModelTask, expiryAt: number | null, reminders: Reminders | null): void {
    const hasMoved = expiryAt !== task.expiryAt
    const hasOthers = JSON.stringify(reminders) !== JSON.stringify(task.reminders)
    task.expiryAt = expiryAt
    task.reminders = reminders
    if (hasMoved) {
      task.snoozedUntilAt = null
      task.notifiedUntilAt = expiryAt === null ? null : (task.fired.get(expiryAt) ?? null)
    } else if (hasOthers) this.leaveThePast(task)
    this.fireDueTasks(task)
  }

  /** @param nextId the id of the task that the server has created by it */
  complete(task: ModelTask, nextId: number | null): void {
    if (!task.isDone) task.snoozedUntilAt = null
    const isContinued = !task.isDone && task.nextId === null
    task.isDone = true
    const next = isContinued ? this.nextOccurrence(task, this.now) : undefined
    if (!next) return
    if (nextId === null) throw new Error(`task ${task.id} has no next task`)
    task.nextId = nextId
    this.add(nextId, next.scheduledAt, leadsOf(task), next)
  }

  reopen(task: ModelTask): void {
    const next = this.tasks.get(task.nextId ?? 0)
    if (task.isDone && next?.version === 1 && !next.isDone) {
      this.tasks.delete(next.id)
      task.nextId = null
    }
    task.isDone = false
    this.fireDueTasks(task)
  }

  skip(task: ModelTask): void {
    const next = this.nextOccurrence(task, Math.max(this.now, task.expiryAt ?? 0))
    if (!next) return
    task.series = next
    this.change(task, next.scheduledAt, leadsOf(task))
  }

  nextOccurrence({ series, expiryAt }: ModelTask, completedAt: number): ModelSeries | undefined {
    if (!series || expiryAt === null) return undefined
    const intervalMs = series.days * dayMs
    if (series.from === 'completion') {
      const midnight = completedAt - (completedAt % dayMs)
      const at = midnight + (expiryAt % dayMs) + intervalMs
      return { ...series, startAt: at, scheduledAt: at }
    }
    let at = series.startAt
    while (at <= Math.max(this.now, expiryAt, series.scheduledAt)) at += intervalMs
    return { ...series, scheduledAt: at }
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
    task.fired.set(expiryAt, dueAt)
    this.notifications.push({ taskId, expiryAt, dueAt, mustHaveArrived: this.isChannelUp })
  }

  /** Whether the content of a notification is true now. */
  isTrue({ taskId, expiryAt }: { taskId: number; expiryAt: number }): boolean {
    const task = this.tasks.get(taskId)
    return task !== undefined && !task.isDone && task.expiryAt === expiryAt
  }
}

/** An instant was meant for the occurrence that it was given for. */
const leadsOf = ({ reminders }: ModelTask) => reminders?.filter((reminder) => typeof reminder === 'string') ?? null
