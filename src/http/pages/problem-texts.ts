import type { ProblemKind } from '#core/problem.ts'

/** What is said of a kind of problem at its `type`, `/problems/<kind>`. */
export interface ProblemPage {
  readonly means: string
  readonly remedy: string
  /** A request that meets it, where one can be given, and what the server answers. A test sends it. */
  readonly example: {
    readonly request?: {
      readonly method: string
      readonly path: string
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
    readonly detail: string
    readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[]
  }
}

const json = { 'content-type': 'application/json' }

export const problemPages: Record<ProblemKind | 'internal', ProblemPage> = {
  malformed: {
    means:
      'The request cannot be understood: its body is not JSON in UTF-8 or nests more than 64 deep, a query parameter is not known or not of its kind, or a header does not have its form.',
    remedy: 'Correct what detail and errors name. The same request will be refused again.',
    example: {
      request: { method: 'GET', path: '/v1/tasks?limit=ten' },
      detail: 'limit must be integer',
      errors: [{ parameter: 'limit', detail: 'must be integer' }],
    },
  },
  unauthorized: {
    means:
      'The server wants to know who is asking. The request does not say it; or its token, session, password or invitation is not valid: mistyped, expired, used, revoked, or of an account that is disabled.',
    remedy:
      'A program sends a token: Authorization: Bearer dbl_…, one of POST /v1/tokens. A person signs in at /sign-in. On a server without login nobody needs to say who he is, but a token that is sent is checked all the same: leave it away.',
    example: {
      request: { method: 'GET', path: '/v1/tasks', headers: { authorization: 'Bearer dbl_mistyped' } },
      detail: 'The token is not one of this server, or not whole.',
    },
  },
  forbidden: {
    means:
      'Who is asking may not do this. His token has too small a scope, or it is for administrators of the server alone. Pages of other sites may change nothing. And a server without login answers programs of its own machine: not requests under other host names, not what a proxy forwarded.',
    remedy:
      'Use a token of the scope that WWW-Authenticate names, or ask an administrator. A server without login is asked from the machine itself; a further host name is allowed by --allowed-hosts.',
    example: {
      request: {
        method: 'POST',
        path: '/v1/tasks',
        headers: { ...json, origin: 'https://elsewhere.example' },
        body: '{"title":"x"}',
      },
      detail: 'The request comes from a page of another site.',
    },
  },
  'not-found': {
    means: 'There is nothing at this path: no such resource, or no longer, or it is another user’s.',
    remedy: 'Check the path and the id in it. Ids are never given a second time.',
    example: { request: { method: 'GET', path: '/v1/tasks/4711' }, detail: 'There is no task 4711.' },
  },
  'method-not-allowed': {
    means: 'The resource is there, but does not have this method.',
    remedy: 'Use one of those that the Allow header lists.',
    example: { request: { method: 'DELETE', path: '/v1/health' }, detail: 'This resource has GET, HEAD.' },
  },
  conflict: {
    means:
      'The request is in order, but contradicts what is there: a uid or key that another task has, a snooze of a completed task.',
    remedy: 'Look at the present state, resolve the contradiction, and ask again.',
    example: {
      request: { method: 'POST', path: '/v1/tasks/1/snooze', headers: json, body: '{"for":"PT1H"}' },
      detail: 'A task without an expiry has no reminders, so it cannot be snoozed.',
    },
  },
  gone: {
    means:
      'What is asked for was there, and is not kept any more: changes from longer ago than a week, or from before a large delete.',
    remedy: 'Begin anew: without «since», /v1/changes tells everything as it is now, and then goes on from there.',
    example: {
      detail: 'What has changed since then is not kept one by one any more: start again without «since».',
    },
  },
  stale: {
    means:
      'What was to be changed has been changed by somebody else since it was read: its version is not that of If-Match.',
    remedy: 'Merge with the task as it is now, which is in current, and send that with its version.',
    example: {
      request: {
        method: 'PATCH',
        path: '/v1/tasks/1',
        headers: { ...json, 'if-match': '"7"' },
        body: '{"priority":"high"}',
      },
      detail: 'Task 1 is at version 1, not 7.',
    },
  },
  'too-large': {
    means:
      'The body is larger than 1 MiB, or than 8 KiB where nobody has to say who is asking (sign-in, invitations); or it has more than 30,000 objects, arrays and members; or path and headers are larger than 16 KiB.',
    remedy: 'Send less at a time.',
    example: { detail: 'The body is larger than 1 MiB.' },
  },
  'unsupported-media-type': {
    means: 'The body is not of a media type or encoding that is read here.',
    remedy: 'Send JSON, uncompressed, with Content-Type: application/json.',
    example: {
      request: { method: 'POST', path: '/v1/tasks', headers: { 'content-type': 'text/plain' }, body: 'Renew passport' },
      detail: 'The body must be application/json.',
    },
  },
  invalid: {
    means:
      'The request can be read, but what it asks for is not acceptable. Each fault is listed with a JSON pointer to it.',
    remedy: 'Correct what errors name. All faults are told at once, up to twenty.',
    example: {
      request: { method: 'POST', path: '/v1/tasks', headers: json, body: '{"titel":"Renew passport","title":""}' },
      detail: 'titel is not known; did you mean title?; title must NOT have fewer than 1 characters',
      errors: [
        { pointer: '/titel', detail: 'is not known; did you mean title?' },
        { pointer: '/title', detail: 'must NOT have fewer than 1 characters' },
      ],
    },
  },
  'rate-limited': {
    means:
      'This caller has asked too often in too short a time, or follows events too often at once: 100 times by one token or session, 200 times by one user.',
    remedy: 'Ask again after the seconds in Retry-After. Close streams of events that are not needed any more.',
    example: { detail: 'Too many requests. Try again in 8 s.' },
  },
  internal: {
    means: 'Something went wrong here that should not have: a fault of the server, not of the request.',
    remedy: 'Tell whoever runs the server the request_id: its log has the cause under it.',
    example: { detail: 'It was logged under this request_id.' },
  },
  unavailable: {
    means:
      'The server cannot do this just now: it is starting or stopping, or its database does not answer or cannot write.',
    remedy:
      'Ask again, after the seconds in Retry-After where it is there. Nothing was changed, unless the connection to the database broke at the last moment.',
    example: { detail: 'The database cannot be reached at the moment.' },
  },
}
