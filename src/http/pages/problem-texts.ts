import type { ProblemKind } from '#core/problem.ts'

/** The text of a problem type at `/problems/<kind>`. */
export interface ProblemText {
  readonly means: string
  readonly remedy: string
  /** A request that causes it, where there is one, and the response. A test sends it. */
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

export const problemTexts: Record<ProblemKind | 'internal', ProblemText> = {
  malformed: {
    means:
      'The request cannot be understood: its body is not JSON in UTF-8 or nests more than 64 deep, a query parameter is unknown or has the wrong type, or a header is malformed.',
    remedy: 'Correct what detail and errors name. The same request fails again.',
    example: {
      request: { method: 'GET', path: '/v1/tasks?limit=ten' },
      detail: 'limit must be integer',
      errors: [{ parameter: 'limit', detail: 'must be integer' }],
    },
  },
  unauthorized: {
    means:
      'The request has no credential; or its token, session, password or invitation is not valid: mistyped, expired, used, revoked, or of a disabled account.',
    remedy:
      'A program sends a token from POST /v1/tokens: Authorization: Bearer dbl_…. A user signs in at /sign-in. A server without login needs no credential, but checks a token that is sent: omit it.',
    example: {
      request: { method: 'GET', path: '/v1/tasks', headers: { authorization: 'Bearer dbl_mistyped' } },
      detail: 'The token is malformed, or not from this server.',
    },
  },
  forbidden: {
    means:
      'The caller may not do this. The scope of the token is too small, or only administrators of the server may do it. Pages of other sites may change nothing. And a server without login answers only programs on its own machine: no requests with other host names, and none that a proxy forwarded.',
    remedy:
      'Use a token of the scope that WWW-Authenticate names, or ask an administrator. Call a server without login from its own machine; --allowed-hosts allows further host names.',
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
    means: 'There is no such resource: it never existed, was deleted, or belongs to another user.',
    remedy: 'Check the path and the id in it. Ids are never reused.',
    example: { request: { method: 'GET', path: '/v1/tasks/4711' }, detail: 'There is no task 4711.' },
  },
  'method-not-allowed': {
    means: 'The resource exists, but does not support this method.',
    remedy: 'Use a method that the Allow header lists.',
    example: { request: { method: 'DELETE', path: '/v1/health' }, detail: 'This resource supports GET, HEAD.' },
  },
  conflict: {
    means:
      'The request is valid, but conflicts with the current state: a uid or key that another task has, a snooze of a completed task.',
    remedy: 'Read the current state, resolve the conflict, and send the request again.',
    example: {
      request: { method: 'POST', path: '/v1/tasks/1/snooze', headers: json, body: '{"for":"PT1H"}' },
      detail: 'A task without an expiry has no reminders, so it cannot be snoozed.',
    },
  },
  gone: {
    means: 'The data existed, but is no longer kept: changes older than a week, or from before a large delete.',
    remedy: 'Start again without «since»: /v1/changes then lists everything as it is now, and continues from there.',
    example: {
      detail: 'Changes since then are no longer stored one by one. Start again without «since».',
    },
  },
  stale: {
    means: 'The task has changed since it was read: its version is not that of If-Match.',
    remedy: 'Merge with the current task, which is in current, and send the result with its version.',
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
      'The body is larger than 1 MiB, or than 8 KiB where no credential is needed (sign-in, invitations); or it has more than 30,000 objects, arrays and members; or path and headers are larger than 16 KiB.',
    remedy: 'Send less in one request.',
    example: { detail: 'The body is larger than 1 MiB.' },
  },
  'unsupported-media-type': {
    means: 'The server does not accept the media type or the encoding of the body.',
    remedy: 'Send JSON, uncompressed, with Content-Type: application/json.',
    example: {
      request: { method: 'POST', path: '/v1/tasks', headers: { 'content-type': 'text/plain' }, body: 'Renew passport' },
      detail: 'The body must be application/json.',
    },
  },
  invalid: {
    means: 'The request is well-formed, but its content is not valid. Each error is listed with a JSON pointer.',
    remedy: 'Correct what errors name. All errors are listed at once, up to twenty.',
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
      'The caller has sent too many requests in too short a time, or has too many event streams open: 100 for a token or session, 200 for a user.',
    remedy: 'Try again after the seconds in Retry-After. Close event streams that are no longer needed.',
    example: { detail: 'Too many requests. Try again in 8 s.' },
  },
  internal: {
    means: 'An unexpected error in the server, not in the request.',
    remedy: 'Tell an administrator the request_id: the log of the server has the cause.',
    example: { detail: 'The error was logged with this request_id.' },
  },
  unavailable: {
    means:
      'The server cannot do this at the moment: it is starting, stopping or overloaded, or its database does not answer or cannot write.',
    remedy:
      'Try again, after the seconds in Retry-After if present. Nothing was changed, unless the connection to the database broke during the commit.',
    example: { detail: 'The database cannot be reached at the moment.' },
  },
}
