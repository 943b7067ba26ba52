/** The kinds of change in the change log: of a task, or of a notification about it. */
export const changeKinds = [
  'created',
  'updated',
  'completed',
  'reopened',
  'snoozed',
  'deleted',
  'restored',
  // of many tasks at once
  'cleared',
  'imported',
  // of a notification: the task does not change
  'fired',
  'failed',
] as const

export type ChangeKind = (typeof changeKinds)[number]

/** Kinds that do not change the task. */
export const notificationChangeKinds = ['fired', 'failed'] as const satisfies ChangeKind[]

export type NotificationChangeKind = (typeof notificationChangeKinds)[number]
