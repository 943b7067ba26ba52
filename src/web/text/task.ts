import type { TaskWire } from '#api/schemas/task.ts'

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`

type Priority = TaskWire['priority']
type Member = 'title' | 'description' | 'expiry' | 'reminders' | 'tags' | 'priority'

const members: Record<Member, string> = {
  title: 'Title',
  description: 'Notes',
  expiry: 'Expires',
  reminders: 'Reminders',
  tags: 'Tags',
  priority: 'Priority',
}

/** The texts of the screen of one task. */
export const taskText = {
  task: (id: number) => `Task ${id}`,
  saving: 'saving',
  saved: 'saved',
  notSaved: 'not saved',
  back: 'Back',
  delete: 'Delete',
  complete: 'Complete',
  missing: 'This task is not here',
  missingHint: (id: number) => `There is no task ${id}, or it is in the trash.`,
  loadFailed: 'The task could not be loaded.',

  // fields
  members,
  notesHint: 'Add notes',
  date: 'Date',
  time: 'Time',
  wholeDay: 'Whole day',
  removeIt: 'Remove',
  save: 'Save',
  at: 'at',
  zoneOf: (zone: string) => `Time zone ${zone}`,
  repeats: 'Repeats',
  which: 'Which reminders',
  reminderModes: { default: 'Default', none: 'None', list: 'These' },
  defaultIs: (list: string) => `By your settings: ${list}.`,
  never: 'never',
  noneHint: 'Nothing reminds you of this task.',
  needsExpiry: 'It has no expiry, so nothing is sent yet.',
  addReminder: 'Add a reminder',
  add: 'Add',
  number: 'Number',
  unit: 'Unit',
  unitNames: { minutes: 'minutes before', hours: 'hours before', days: 'days before', weeks: 'weeks before' },
  timeOfDay: 'Time of day, if not that of the expiry',
  removeExpiry: 'Remove the expiry',
  removeReminder: (lead: string) => `Remove the reminder ${lead}`,
  removeTag: (tag: string) => `Remove the tag ${tag}`,
  addTag: 'Add a tag',
  priorities: { none: 'None', low: 'Low', medium: 'Medium', high: 'High' } satisfies Record<Priority, string>,

  // leads
  units: {
    weeks: (count: number) => counted(count, 'week'),
    days: (count: number) => counted(count, 'day'),
    hours: (count: number) => counted(count, 'hour'),
    minutes: (count: number) => counted(count, 'minute'),
    seconds: (count: number) => counted(count, 'second'),
  },
  before: (span: string) => `${span} before`,
  after: (span: string) => `${span} after`,
  atTime: (lead: string, time: string) => `${lead}, at ${time}`,
  onTheDay: (time: string) => `on the day, at ${time}`,
  atExpiry: 'when it expires',

  // the line below the title
  expires: (when: string) => `Expires ${when}`,
  expired: (when: string) => `Expired ${when}`,
  noExpiry: 'No expiry',
  completedAt: (when: string) => `Completed ${when}`,

  // changes
  changed: (title: string) => `Changed ${title}`,
  conflict: 'This task was changed elsewhere',
  conflictHint: 'Your text is kept here. It is not saved yet.',
  theirs: (member: string) => `${member}, elsewhere:`,
  keepMine: 'Keep mine',
  takeTheirs: 'Take theirs',
  failed: 'Your change is not saved',
  discard: 'Discard it',
  empty: 'nothing',

  // history
  history: 'History',
  historyFailed: 'The history could not be loaded.',
  created: 'Created',
  completedEntry: 'Completed',
  reminder: (lead: string) => `Reminder, ${lead}`,
  snoozeEnded: 'Reminder after a snooze',
  late: (seconds: number) => `${seconds} s late`,
  acknowledged: 'acknowledged',
  noChannel: 'No channel was on, so nothing was sent.',
  deletedChannel: 'Deleted channel',
  delivered: (ms: number | null) => (ms === null ? 'Delivered' : `Delivered in ${ms} ms`),
  sending: 'Sending',
  sendingAgain: 'Trying again',
  retryAt: (when: string, attempts: number) => `Retry ${when}, after ${counted(attempts, 'attempt')}`,
  failedDelivery: 'Failed',
  cancelled: 'Cancelled',
  retryNow: 'Retry now',
  retryNotSent: 'The retry failed',
  fixChannel: 'Check channel',
  older: 'Show older',

  // keys
  keys: { edit: 'Edit the title', complete: 'Complete', snooze: 'Snooze', delete: 'Delete the task' },
}

export type TaskMember = Member
