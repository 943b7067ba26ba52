import * as channels from './channels.ts'
import * as events from './events.ts'
import * as notifications from './notifications.ts'
import * as recurrences from './recurrences.ts'
import * as sessions from './sessions.ts'
import * as settings from './settings.ts'
import * as taskTexts from './task-text.ts'
import * as tasks from './tasks.ts'
import * as trash from './trash.ts'
import * as users from './users.ts'

export { channels, events, notifications, recurrences, sessions, settings, tasks, taskTexts, trash, users }

/** Every operation of the API under its id, in the order of the documentation. Health and metrics are none: monitors ask for them. */
export const operations = {
  ...tasks,
  ...taskTexts,
  ...recurrences,
  ...trash,
  ...notifications,
  ...channels,
  ...settings,
  ...sessions,
  ...users,
  ...events,
} as const

export type Operations = typeof operations
export type OperationId = keyof Operations
