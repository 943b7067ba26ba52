/**
 * The examples of the document, in the order in which somebody might do these things. Each operation has at least one; the
 * first shows how it is used, others how it refuses. The answers are not written here: tell.ts asks a real server.
 */
export interface Step {
  /** The operationId. */
  readonly operation: string
  /** What the example shows, in a few words. */
  readonly shows: string
  /** The clock moves to here first. The story begins on 2026-11-23 at 13:00 UTC. */
  readonly at?: string
  readonly path?: Readonly<Record<string, string | number>>
  readonly query?: Readonly<Record<string, string | number | readonly string[]>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** 200 when absent. */
  readonly status?: number
  /** How many lines of a text are shown: those behind them may be of this machine and moment. All when absent. */
  readonly lines?: number
}

export const storyBegins = '2026-11-23T13:00:00Z'

export const story: readonly Step[] = [
  { operation: 'isAlive', shows: 'It lives' },
  { operation: 'isReady', shows: 'It works' },
  { operation: 'getHealth', shows: 'In one word' },
  { operation: 'getHealth', shows: 'In detail', headers: { accept: 'application/json' } },

  {
    operation: 'createTask',
    shows: 'A passport to renew',
    body: {
      title: 'Renew passport',
      description: 'Bring two photos',
      expiry_dt: '2026-12-01T10:00[Europe/Paris]',
      tags: ['home'],
      priority: 'high',
    },
  },
  {
    operation: 'createTask',
    shows: "By the caller's own key, with reminders of its own",
    body: {
      title: 'Certificate of www.example.org',
      key: 'cert/www.example.org',
      expiry_dt: '2026-12-24T18:00:00Z',
      reminders: ['P7D', 'P1D', 'PT1H'],
    },
  },
  {
    operation: 'createTask',
    shows: 'A key that is taken',
    body: { title: 'The same certificate', key: 'cert/www.example.org' },
    status: 409,
  },
  {
    operation: 'createTask',
    shows: 'A slip of the pen',
    body: { titel: 'Renew passport' },
    status: 422,
  },
  {
    operation: 'createTask',
    shows: 'No expiry yet',
    headers: { 'idempotency-key': '7b1c6f0e' },
    body: { title: 'Think of a present' },
  },
  {
    operation: 'createTask',
    shows: 'Asked again, since no answer came',
    headers: { 'idempotency-key': '7b1c6f0e' },
    body: { title: 'Think of a present' },
  },

  { operation: 'listTasks', shows: 'Everything' },
  { operation: 'listTasks', shows: 'The first page', query: { limit: 1 } },
  {
    operation: 'listTasks',
    shows: 'What expires next, by tag and words',
    query: { status: 'open', tag: 'home', q: 'renew pass', sort: 'expiry_dt,-priority', count: 'true' },
  },
  { operation: 'listTasks', shows: 'Nothing has changed', headers: { 'if-none-match': '"c3"' }, status: 304 },
  { operation: 'listTags', shows: 'All tags' },
  {
    operation: 'listUpcoming',
    shows: 'What rings until the second of December',
    query: { until: '2026-12-02T00:00:00Z' },
  },
  { operation: 'getTask', shows: 'The passport', path: { id: 1 } },
  { operation: 'getTask', shows: 'As it was', path: { id: 1 }, headers: { 'if-none-match': '"1"' }, status: 304 },
  { operation: 'getTask', shows: 'It is another by now', path: { id: 1 }, headers: { 'if-match': '"7"' }, status: 412 },
  { operation: 'getTask', shows: 'No such task', path: { id: 4711 }, status: 404 },

  {
    operation: 'updateTask',
    shows: 'An hour later',
    at: '2026-11-23T13:05:12.481Z',
    path: { id: 1 },
    headers: { 'if-match': '"1"' },
    body: { expiry_dt: '2026-12-01T11:00' },
  },
  {
    operation: 'updateTask',
    shows: 'Only what the next change needs is answered',
    path: { id: 3 },
    headers: { prefer: 'return=minimal' },
    body: { priority: 'medium' },
  },
  {
    operation: 'updateTask',
    shows: 'Changed by somebody else meanwhile',
    path: { id: 1 },
    headers: { 'if-match': '"1"' },
    body: { priority: 'low' },
    status: 412,
  },
  {
    operation: 'updateTask',
    shows: 'A key that is taken',
    path: { id: 1 },
    body: { key: 'cert/www.example.org' },
    status: 409,
  },
  {
    operation: 'putTask',
    shows: 'As PATCH',
    path: { id: 3 },
    headers: { prefer: 'return=minimal' },
    body: { title: 'Think of a present for Ada', tags: ['family'] },
  },
  {
    operation: 'putTask',
    shows: 'A key that is taken',
    path: { id: 3 },
    body: { key: 'cert/www.example.org' },
    status: 409,
  },
  {
    operation: 'putTask',
    shows: 'Changed by somebody else meanwhile',
    path: { id: 3 },
    headers: { 'if-match': '"1"' },
    body: { priority: 'low' },
    status: 412,
  },
  {
    operation: 'updateTasks',
    shows: 'Only what the next change needs is answered',
    headers: { prefer: 'return=minimal' },
    body: { tasks: [{ id: 1, priority: 'high', version: 2 }] },
  },
  {
    operation: 'updateTasks',
    shows: 'Two at once, and one that is not there',
    body: {
      tasks: [
        { id: 1, tags: ['home', 'travel'] },
        { id: 3, priority: 'low' },
        { id: 99, priority: 'low' },
      ],
    },
  },
  {
    operation: 'updateTasks',
    shows: 'All of them or none',
    headers: { prefer: 'handling=strict' },
    body: {
      tasks: [
        { id: 1, priority: 'low' },
        { id: 99, priority: 'low' },
      ],
    },
    status: 404,
  },
  {
    operation: 'updateTasks',
    shows: 'A key that is taken',
    body: { tasks: [{ id: 3, key: 'cert/www.example.org' }] },
    status: 409,
  },

  {
    operation: 'putTaskByKey',
    shows: 'The certificate was renewed',
    path: { key: 'cert/www.example.org' },
    headers: { prefer: 'return=minimal' },
    body: { expiry_dt: '2027-03-24T18:00:00Z' },
  },
  {
    operation: 'putTaskByKey',
    shows: 'Another certificate',
    path: { key: 'cert/mail.example.org' },
    body: { title: 'Certificate of mail.example.org', expiry_dt: '2027-02-01T00:00:00Z', tags: ['certificates'] },
  },
  {
    operation: 'putTaskByKey',
    shows: 'Only if it is not there yet',
    path: { key: 'cert/mail.example.org' },
    headers: { 'if-none-match': '*' },
    body: { title: 'Certificate of mail.example.org' },
    status: 412,
  },
  {
    operation: 'putTaskByKey',
    shows: 'A uid that is taken',
    path: { key: 'cert/other.example.org' },
    body: { title: 'Certificate of other.example.org', uid: 'mail@example.org' },
  },
  {
    operation: 'putTaskByKey',
    shows: 'A uid that is taken',
    path: { key: 'cert/yet-another.example.org' },
    body: { title: 'Certificate of yet-another.example.org', uid: 'mail@example.org' },
    status: 409,
  },
  { operation: 'getTaskByKey', shows: 'The certificate', path: { key: 'cert/www.example.org' } },
  {
    operation: 'getTaskByKey',
    shows: 'A key that no task can have',
    path: { key: 'cert\0' },
    status: 422,
  },
  {
    operation: 'getTaskByKey',
    shows: 'As it was',
    path: { key: 'cert/www.example.org' },
    headers: { 'if-none-match': '"2"' },
    status: 304,
  },
  {
    operation: 'getTaskByKey',
    shows: 'It is another by now',
    path: { key: 'cert/www.example.org' },
    headers: { 'if-match': '"1"' },
    status: 412,
  },
  {
    operation: 'getTaskByKey',
    shows: 'No such key',
    path: { key: 'cert/nowhere' },
    status: 404,
  },

  {
    operation: 'getMetrics',
    shows: 'The first of many, as the bell has rung once',
    at: '2026-12-01T09:45:30Z',
    lines: 6,
  },
  {
    operation: 'listNotifications',
    shows: 'The bell has rung, 15 minutes before',
    at: '2026-12-01T09:46:00Z',
  },
  { operation: 'getNotification', shows: 'How it was told', path: { id: 1 } },
  { operation: 'listTaskNotifications', shows: 'Of the passport', path: { id: 1 } },
  {
    operation: 'acknowledgeNotification',
    shows: 'It was seen',
    path: { id: 1 },
    headers: { 'idempotency-key': '55ab' },
  },
  {
    operation: 'acknowledgeNotification',
    shows: 'Asked again, since no answer came',
    path: { id: 1 },
    headers: { 'idempotency-key': '55ab' },
  },
  { operation: 'acknowledgeNotification', shows: 'No such notification', path: { id: 4711 }, status: 404 },
  {
    operation: 'acknowledgeNotifications',
    shows: 'All that rang so far',
    headers: { 'idempotency-key': 'a1f2' },
    body: { up_to: 1 },
  },
  {
    operation: 'acknowledgeNotifications',
    shows: 'Asked again, since no answer came',
    headers: { 'idempotency-key': 'a1f2' },
    body: { up_to: 1 },
  },
  {
    operation: 'retryNotification',
    shows: 'The receiver was mended',
    path: { id: 1 },
    headers: { 'idempotency-key': 'd80c' },
    body: {},
  },
  {
    operation: 'retryNotification',
    shows: 'Asked again, since no answer came',
    path: { id: 1 },
    headers: { 'idempotency-key': 'd80c' },
    body: {},
  },
  {
    operation: 'retryNotification',
    shows: 'Nothing was given up',
    path: { id: 1 },
    body: {},
    status: 409,
  },
  {
    operation: 'snoozeTask',
    shows: 'Again in ten minutes',
    path: { id: 1 },
    headers: { 'idempotency-key': '41f7', prefer: 'return=minimal' },
    body: { for: 'PT10M' },
  },
  {
    operation: 'snoozeTask',
    shows: 'Asked again, since no answer came',
    path: { id: 1 },
    headers: { 'idempotency-key': '41f7', prefer: 'return=minimal' },
    body: { for: 'PT10M' },
  },
  { operation: 'snoozeTask', shows: 'At a time', path: { id: 1 }, body: { until: '2026-12-01T10:58' } },
  {
    operation: 'snoozeTask',
    shows: 'What has no expiry does not ring',
    path: { id: 3 },
    body: { for: 'PT10M' },
    status: 409,
  },
  {
    operation: 'snoozeTask',
    shows: 'Changed by somebody else meanwhile',
    path: { id: 1 },
    headers: { 'if-match': '"1"' },
    body: { for: 'PT10M' },
    status: 412,
  },
  {
    operation: 'completeTask',
    shows: 'Done',
    at: '2026-12-01T09:50:00Z',
    path: { id: 1 },
    headers: { 'idempotency-key': 'c2d1', prefer: 'return=minimal' },
  },
  {
    operation: 'completeTask',
    shows: 'Asked again, since no answer came',
    path: { id: 1 },
    headers: { 'idempotency-key': 'c2d1', prefer: 'return=minimal' },
  },
  { operation: 'completeTask', shows: 'It is so already', path: { id: 1 } },
  {
    operation: 'completeTask',
    shows: 'Changed by somebody else meanwhile',
    path: { id: 1 },
    headers: { 'if-match': '"1"' },
    status: 412,
  },
  {
    operation: 'reopenTask',
    shows: 'Not quite',
    path: { id: 1 },
    headers: { 'idempotency-key': '9e0a', prefer: 'return=minimal' },
  },
  {
    operation: 'reopenTask',
    shows: 'Asked again, since no answer came',
    path: { id: 1 },
    headers: { 'idempotency-key': '9e0a', prefer: 'return=minimal' },
  },
  { operation: 'reopenTask', shows: 'It is so already', path: { id: 1 } },
  {
    operation: 'reopenTask',
    shows: 'Changed by somebody else meanwhile',
    path: { id: 1 },
    headers: { 'if-match': '"1"' },
    status: 412,
  },
  {
    operation: 'deleteTask',
    shows: 'Changed by somebody else meanwhile',
    path: { id: 3 },
    headers: { 'if-match': '"1"' },
    status: 412,
  },
  { operation: 'deleteTask', shows: 'No present after all', path: { id: 3 } },
  { operation: 'listChanges', shows: 'Everything', query: { limit: 2 } },
  { operation: 'listChanges', shows: 'A cursor of somewhere else', query: { since: 'nowhere' }, status: 400 },
  {
    operation: 'followEvents',
    shows: 'What has happened',
    query: { after: '14', wait: 0 },
    headers: { accept: 'application/json' },
  },
  { operation: 'deleteTasks', shows: 'How many that would be', query: { tag: 'certificates', dry_run: 'true' } },
  { operation: 'deleteTasks', shows: 'A clean table' },
  {
    operation: 'deleteTasks',
    shows: 'Changed by somebody else meanwhile',
    headers: { 'if-match': '"c1"' },
    status: 412,
  },
  { operation: 'listTrash', shows: 'What was deleted last', query: { limit: 1 } },
  {
    operation: 'restoreTasks',
    shows: 'One comes back, another was never there',
    headers: { 'idempotency-key': '0fe3' },
    body: { ids: [1, 99] },
  },
  {
    operation: 'restoreTasks',
    shows: 'Asked again, since no answer came',
    headers: { 'idempotency-key': '0fe3' },
    body: { ids: [1, 99] },
  },
  {
    operation: 'createTask',
    shows: 'The certificate again',
    headers: { prefer: 'return=minimal' },
    body: { title: 'Certificate of www.example.org', key: 'cert/www.example.org' },
  },
  { operation: 'restoreTasks', shows: 'Its key is taken by now', body: { ids: [2] }, status: 409 },
  { operation: 'purgeTrash', shows: 'One for good', query: { ids: '3' } },
  {
    operation: 'listChanges',
    shows: 'A cursor of two weeks ago',
    at: '2026-12-15T12:00:00Z',
    query: { since: 'Y2hhbmdlczoxOjM' },
    status: 410,
  },
]
