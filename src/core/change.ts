/** What can happen to a task, or to a notification of it: the kinds of a row in the list of changes. */
export const changeKinds = [
  'created',
  'updated',
  'completed',
  'reopened',
  'snoozed',
  'deleted',
  'restored',
  // of many at once
  'cleared',
  'imported',
  // of a bell: no task changes by them
  'fired',
  'failed',
] as const

export type ChangeKind = (typeof changeKinds)[number]

/** What happens to a task without changing it. */
export const notificationChangeKinds = ['fired', 'failed'] as const satisfies ChangeKind[]

export type NotificationChangeKind = (typeof notificationChangeKinds)[number]
