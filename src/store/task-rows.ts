import type { Insertable, Selectable } from 'kysely'
import type { NewTask, Task } from '#core/task.ts'
import { type TaskTable, tables } from './schema.ts'
import { rowReader, rowWriter } from './tables/rows.ts'

/** Rows of tasks. The compiler compares them with `Task`: a member without a column is an error here, and so is the opposite. */
export const toTask: (row: Selectable<TaskTable>) => Task = rowReader(tables.tasks.columns)

export const toTaskRow: (task: NewTask) => Insertable<TaskTable> = rowWriter(tables.tasks.columns)

export type TaskColumn = Exclude<keyof TaskTable, 'id'>

/** All columns except for the id. */
export const taskColumns = Object.keys(tables.tasks.columns).filter(
  (name) => name !== 'id',
) as readonly string[] as readonly TaskColumn[]
