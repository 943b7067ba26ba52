/** The texts of the shell and of the first screen. Each other screen has a file of its own beside this one. */

const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`

export const text = {
  // navigation
  skip: 'Skip to content',
  main: 'Main',
  expiring: 'Expiring',
  all: 'All tasks',
  done: 'Done',
  taskScreen: 'Task',
  tags: 'Tags',
  server: 'Server',
  api: 'API reference',
  missing: 'There is nothing here',
  missingHint: 'The address leads to no screen of Duebell.',

  // time
  justNow: 'just now',
  minutesAgo: (minutes: number) => `${minutes} min ago`,
  hoursAgo: (hours: number) => `${hours} h ago`,
  yesterday: 'yesterday',
  daysAgo: (days: number) => `${days} days ago`,
  inMinutes: (minutes: number) => `in ${minutes} min`,
  inHours: (hours: number, minutes: number) => (minutes === 0 ? `in ${hours} h` : `in ${hours} h ${minutes} min`),
  today: 'today',
  tomorrow: 'tomorrow',
  wholeDay: 'whole day',

  // changes
  completed: (title: string) => `Completed ${title}`,
  reopened: (title: string) => `Reopened ${title}`,
  snoozed: (title: string, until: string) => `Snoozed ${title} until ${until}`,
  deleted: (title: string) => `Deleted ${title}`,
  restored: (title: string) => `Restored ${title}`,
  added: (title: string) => `Added ${title}`,
  failed: (message: string, error: unknown) => `Not saved: ${message}. ${reasonOf(error)}`,
  undo: 'Undo',

  // states
  loading: 'Loading',
  offline: (since: string) => `Offline since ${since}.`,
  offlineHint: 'You see the tasks as of then. Changes are not saved until the server answers.',
  loadFailed: 'The tasks could not be loaded.',
  request: 'Request',
  tryAgain: 'Try again',

  // quick add
  newTask: 'New task',
  addTask: 'Add task',
  clear: 'Clear',
  quickAddExample: 'Renew passport 14 March #documents ~30d',
  notRead: 'This page cannot read dates and tags in the text: all of it becomes the title.',

  // rows
  complete: (title: string) => `Complete: ${title}`,
  snooze: 'Snooze',
  snoozeOf: (title: string) => `Snooze: ${title}`,
  snoozedUntil: (when: string) => `Snoozed until ${when}`,
  high: 'high',
  low: 'low',
  minutes10: '10 minutes',
  hour1: '1 hour',
  tonight: 'Tonight',
  tomorrowMorning: 'Tomorrow',
  pickTime: 'Pick a time …',
  until: 'Until',
  cancel: 'Cancel',
  inPast: 'This time is in the past.',
  showMore: (count: number) => `Show ${count} more`,

  // the screen Expiring
  range: 'Range of the horizon',
  ranges: { '24h': '24 h', '7d': '7 d', '30d': '30 d' },
  rangeNames: { '24h': 'next 24 hours', '7d': 'next 7 days', '30d': 'next 30 days' },
  onHorizon: (range: string) => `Tasks on the horizon, ${range}`,
  expiredTasks: (count: number) => counted(count, 'expired task', 'expired tasks'),
  tasksFromTo: (count: number, from: string, to: string) => `${count} tasks, ${from} to ${to}`,
  expiredLead: (count: number) => `${count} expired.`,
  next: 'Next:',
  nothingSoon: 'Nothing expires in the next 24 hours.',
  nothingYet: 'Nothing expires yet.',
  nothingYetHint: 'Write what must not be forgotten. For example:',
  examples: [
    'Renew passport 14 March ~30d',
    'Pay rent every month on the 1st 9am',
    'Descale the kettle every! 6 weeks',
  ],
  groups: {
    expired: 'Expired',
    hour: 'Within the hour',
    today: 'Later today',
    tomorrow: 'Tomorrow',
    week: 'This week',
    later: 'Later',
    none: 'No expiry',
  },

  // keys
  keyboard: 'Keyboard',
  close: 'Close',
  keys: {
    add: 'Add a task',
    down: 'Next task',
    up: 'Previous task',
    open: 'Open',
    complete: 'Complete',
    snooze: 'Snooze',
    undo: 'Undo',
    goExpiring: 'Go to Expiring',
    goAll: 'Go to All tasks',
    help: 'This help',
  },
}

/** The detail that the server gives of an error, or that it does not answer. */
export function reasonOf(error: unknown): string {
  const { problem } = error as { problem?: { detail: string } }
  return problem?.detail ?? 'The server does not answer.'
}
