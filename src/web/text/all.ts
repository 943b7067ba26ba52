/** The texts of the screens All tasks and Done. */

const counted = (count: number, one: string, many: string) =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`
const tasks = (count: number) => counted(count, 'task', 'tasks')
const isolated = (tag: string) => `\u2068${tag}\u2069`

export const text = {
  // search and filters
  search: 'Search tasks',
  searchHint: 'Search titles and notes',
  filters: 'Filters',
  status: 'Status',
  statuses: { open: 'Open', expired: 'Expired', completed: 'Completed', all: 'All' },
  tag: 'Tag',
  tagFilter: 'Filter by tag',
  priority: 'Priority',
  priorityFilter: 'Filter by priority',
  priorities: { high: 'High', medium: 'Medium', low: 'Low', none: 'None' },
  priorityChip: { high: 'High priority', medium: 'Medium priority', low: 'Low priority', none: 'No priority' },
  activeFilters: 'Active filters',
  removeTagFilter: (tag: string) => `Remove the filter: tag ${tag}`,
  removePriorityFilter: 'Remove the filter: priority',
  clearFilters: 'Clear filters',
  sort: 'Sort',
  sorts: {
    expiry: 'Expires first',
    priority: 'Highest priority',
    newest: 'Newest first',
    changed: 'Last changed',
    title: 'Title',
  },

  // counts and states
  counts: {
    open: (count: number) => counted(count, 'open task', 'open tasks'),
    expired: (count: number) => counted(count, 'expired task', 'expired tasks'),
    completed: (count: number) => counted(count, 'completed task', 'completed tasks'),
    all: tasks,
  },
  matching: (what: string) => `${what} found`,
  manyMatch: 'Many tasks match',
  loadingMore: 'Loading more tasks',
  moreFailed: 'The next tasks could not be loaded.',
  noMatch: (status: string, q: string, tags: readonly string[]) =>
    `No ${status === 'all' ? '' : `${status} `}task matches${q === '' ? '' : ` “\u2068${q}\u2069”`}${tags.length > 0 ? ` in ${tags.map(isolated).join(', ')}` : ''}${q === '' && tags.length === 0 ? ' these filters' : ''}.`,
  inAll: (count: number) => `${tasks(count)} with any status`,
  inAllHint: (count: number) => (count === 1 ? 'matches.' : 'match.'),
  none: {
    open: 'No open tasks.',
    expired: 'Nothing has expired.',
    completed: 'Nothing is completed yet.',
    all: 'There are no tasks yet.',
  },
  noneHint: 'Write one in the field above, or press n.',

  // selection
  select: 'Select',
  selectOf: (title: string) => `Select: ${title}`,
  selectAll: (count: number) => `Select all ${count.toLocaleString('en')}`,
  selection: 'Selected tasks',
  selected: (count: number) => `${count.toLocaleString('en')} selected`,
  cancel: 'Cancel',
  complete: 'Complete',
  delete: 'Delete',
  addTag: 'Add tag',
  removeTag: 'Remove tag',
  tagName: 'Tag',
  completedMany: (count: number) => `Completed ${tasks(count)}`,
  reopenedMany: (count: number) => `Reopened ${tasks(count)}`,
  deletedMany: (count: number) => `Deleted ${tasks(count)}`,
  restoredMany: (count: number) => `Restored ${tasks(count)}`,
  taggedMany: (count: number, tag: string) => `Added the tag ${isolated(tag)} to ${tasks(count)}`,
  untaggedMany: (count: number, tag: string) => `Removed the tag ${isolated(tag)} from ${tasks(count)}`,

  // Done
  doneEmpty: 'Nothing is done yet.',
  doneEmptyHint: 'Completed tasks are kept here, so that you can reopen them.',
  reopen: 'Reopen',
  reopenOf: (title: string) => `Reopen: ${title}`,
  today: 'Today',
  yesterday: 'Yesterday',

  keys: {
    search: 'Search',
    select: 'Select',
    selectTo: 'Select up to here',
    delete: 'Delete the selection',
    complete: 'Complete the selection',
    tag: 'Add a tag to the selection',
    clear: 'Clear the selection',
  },
}
