import type {
  SnoozeWire,
  TaskDraftWire,
  TaskMarkWire,
  TaskPatchesWire,
  TaskPatchWire,
  TaskUpsertWire,
  TaskWire,
} from '#api/schemas/task.ts'
import type { TagListWire, TaskQueryWire } from '#api/schemas/task-list.ts'
import type {
  DeletedTasksWire,
  DeletedTaskWire,
  PurgedWire,
  RestoredWire,
  RestoreWire,
  TrashWire,
} from '#api/schemas/trash.ts'
import type { UpcomingWire } from '#api/schemas/upcoming.ts'
import type { Call, CollectionPrecondition, Precondition } from './call.ts'
import { withQuery } from './query.ts'

/** Filters and order of a list of tasks. */
export interface TaskListFilter extends Omit<TaskQueryWire, 'limit' | 'offset' | 'cursor' | 'tag' | 'ids' | 'count'> {
  /** A task must have all of them. */
  readonly tag?: string | readonly string[]
  readonly ids?: readonly number[]
}

export interface TaskQuery extends TaskListFilter {
  readonly limit?: number
  readonly offset?: number
  readonly cursor?: string
  readonly count?: boolean
}

export interface TaskPage {
  tasks: TaskWire[]
  next_cursor: string | null
  /** Present with `count`; null for a search with very many results. */
  total?: number | null
}

export interface ManyOptions<M extends boolean> {
  /** Fails if one of the tasks does not exist. */
  readonly strict?: boolean
  /** The response has only the id and version of each task. */
  readonly minimal?: M
}

export interface DeleteFilter {
  readonly ids?: readonly number[]
  readonly status?: 'all' | 'open' | 'expired' | 'completed'
  /** A task must have all of them. */
  readonly tag?: string | readonly string[]
  readonly expires_before?: string
  /** Only counts the tasks. */
  readonly dry_run?: boolean
}

/** Methods for tasks and the trash. */
export function taskMethods(call: Call) {
  return {
    list: (query: TaskQuery = {}) =>
      call<TaskPage>('GET', withQuery('/v1/tasks', { ...query, ids: query.ids?.join(',') })),
    /** Every task, or those that match a filter, page by page. @param limit the size of a page */
    async *iterate(limit = 1_000, filter: TaskListFilter = {}): AsyncGenerator<TaskWire> {
      const query = { ...filter, ids: filter.ids?.join(','), limit }
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: TaskPage = await call('GET', withQuery('/v1/tasks', { ...query, cursor }))
        yield* page.tasks
        cursor = page.next_cursor
      }
    },
    create: (task: TaskDraftWire) => call<TaskWire>('POST', '/v1/tasks', task),
    get: (id: number) => call<TaskWire>('GET', `/v1/tasks/${id}`),
    update: (id: number, patch: TaskPatchWire, condition?: Precondition) =>
      call<TaskWire>('PATCH', `/v1/tasks/${id}`, patch, condition),
    updateMany: <M extends boolean = false>(
      tasks: TaskPatchesWire['tasks'],
      { strict, minimal }: ManyOptions<M> = {},
    ) => {
      const prefer = [...(strict ? ['handling=strict'] : []), ...(minimal ? ['return=minimal'] : [])]
      type Answer = { tasks: (M extends true ? TaskMarkWire : TaskWire)[]; missing: number[] }
      return call<Answer>('PUT', '/v1/tasks', { tasks }, { prefer })
    },
    getByKey: (key: string) => call<TaskWire>('GET', `/v1/tasks/by-key/${encodeURIComponent(key)}`),
    /** Creates or updates the task with this key. */
    putByKey: (key: string, task: TaskUpsertWire, condition?: Precondition) =>
      call<TaskWire>('PUT', `/v1/tasks/by-key/${encodeURIComponent(key)}`, task, condition),
    /** Moves the task to the trash. */
    delete: (id: number, condition?: Precondition) =>
      call<DeletedTaskWire>('DELETE', `/v1/tasks/${id}`, undefined, condition),
    deleteAll: (condition?: CollectionPrecondition) =>
      call<DeletedTasksWire>('DELETE', '/v1/tasks', undefined, { ...condition, isLong: true }),
    /** Deletes the tasks that match every filter; without filters, all. */
    deleteMany: ({ ids, ...filter }: DeleteFilter, condition?: CollectionPrecondition) =>
      call<DeletedTasksWire>('DELETE', withQuery('/v1/tasks', { ...filter, ids: ids?.join(',') }), undefined, {
        ...condition,
        isLong: true,
      }),
    trash: (query: { limit?: number; cursor?: string } = {}) => call<TrashWire>('GET', withQuery('/v1/trash', query)),
    restore: (which: RestoreWire) => call<RestoredWire>('POST', '/v1/trash/restore', which, { isLong: true }),
    /** Deletes permanently: the whole trash, some ids, or one batch. */
    purgeTrash: ({ ids, batch }: RestoreWire = {}) =>
      call<PurgedWire>('DELETE', withQuery('/v1/trash', { ids: ids?.join(','), batch }), undefined, { isLong: true }),
    complete: (id: number, condition?: Precondition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/complete`, undefined, condition),
    reopen: (id: number, condition?: Precondition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/reopen`, undefined, condition),
    snooze: (id: number, snooze: SnoozeWire, condition?: Precondition) =>
      call<TaskWire>('POST', `/v1/tasks/${id}/snooze`, snooze, condition),
    tags: () => call<TagListWire>('GET', '/v1/tags'),
    upcoming: (query: { until?: string; limit?: number } = {}) =>
      call<UpcomingWire>('GET', withQuery('/v1/upcoming', query)),
  }
}
