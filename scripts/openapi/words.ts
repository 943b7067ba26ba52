import type { RequestHeader, ResponseHeader } from '#api/operation.ts'
import type { Header, Parameter, Schema } from './document.ts'

/** Texts of the document that belong to no route: introduction, tags, headers and problems. */
export const info = {
  title: 'Duebell',
  summary: 'Tasks that remind you before they expire.',
  description: `Tasks that expire, and reminders before they do, delivered to all your channels.

**Times.** Requests have times as RFC 3339, with an optional zone (RFC 9557). A time without an offset is local to the \`time_zone\` of the task, or else
to that of the settings. Responses have UTC with milliseconds. Names of times end in \`_dt\`; durations are ISO 8601.

**Changes.** PUT and PATCH both merge (RFC 7396): an absent member keeps its value, \`null\` clears it, and a list replaces the old one. Unknown
members are refused. Read-only members are ignored, so that a client can send back what it read.

**Authentication.** A server without login accepts requests from programs on its own machine. Otherwise each request needs a token,
\`Authorization: Bearer dbl_…\`, or the cookie of a session. Each has a scope: \`read\`, \`write\` or \`admin\`. Each scope includes the previous one.
Objects of other users are answered 404.

**Problems.** Every response of 400 and above is a problem document (RFC 9457). Its \`type\` is a page of this server; its \`errors\` list each fault.
Besides the listed responses, any path answers 405 to a method that it does not have, and invalid HTTP is answered 400, 408 or 431.

**Compatibility.** Within \`/v1\` nothing is removed, and no valid request becomes invalid. Responses may gain members, and enumerations may gain
values: ignore those you do not know.`,
  license: { name: 'MIT', identifier: 'MIT' },
}

/**
 * `/` is first: it is right for every reader that gets the document from its server, such as /docs and a generator that is given its URL.
 * A client that is generated from the file uses the second, and sets the origin.
 */
export const servers = [
  { url: '/', description: 'The server that this document was read from' },
  {
    url: '{origin}',
    description: 'Any other server, for clients that are generated from the file',
    variables: {
      origin: {
        default: 'http://127.0.0.1:8888',
        description: 'Scheme, host and port, without a path: where `npm start` listens, or a public URL',
      },
    },
  },
]

export const securitySchemes = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description:
      'A token of POST /v1/tokens, or of `duebell token create` on the server. A server without login needs none.',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-duebell',
    description: 'The cookie of a session, for pages of the server itself.',
  },
}

export const tags: Record<string, string> = {
  tasks: 'Tasks, their expiry and their reminders.',
  tags: 'The tags of tasks, with counts.',
  trash: 'Deleted tasks, which can be restored for some days.',
  channels: 'Channels, their health, and the settings of the user.',
  notifications: 'Upcoming reminders, notifications and their deliveries.',
  events: 'Changes and events, as a list and as a stream.',
  accounts: 'Users, tokens, sessions and the audit log.',
  health: 'Liveness, readiness, health and metrics.',
}

const etag: Schema = { type: 'string', examples: ['"3"'] }

/** A description of every header that a route may name. The compiler reports a missing one. */
export const requestHeaders: Record<RequestHeader, Parameter> = {
  'if-match': {
    name: 'If-Match',
    in: 'header',
    description: 'The expected ETag. If the current one differs, nothing is changed and the response is 412.',
    schema: etag,
  },
  'if-none-match': {
    name: 'If-None-Match',
    in: 'header',
    description: 'The ETag that the caller has. If it is the current one, the response is 304 without a body.',
    schema: etag,
  },
  'idempotency-key': {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'A text that the caller chooses, unique for this request. If the same request is repeated with it, the server returns the first response, and does nothing twice.',
    schema: { type: 'string', minLength: 1, maxLength: 255, examples: ['7b1c6f0e-51e5-4d0a-9d3c-2f1f0f0c8a57'] },
  },
  'accept-language': {
    name: 'Accept-Language',
    in: 'header',
    description:
      'The language of a text: the first of en, de, fr, es and zh that it names, else English. The region says whether 5/6 is in May or June.',
    schema: { type: 'string', examples: ['en-GB,en;q=0.9', 'de'] },
  },
  prefer: {
    name: 'Prefer',
    in: 'header',
    description:
      'Preferences (RFC 7240). `return=minimal`: return only id and version. `return=representation`, the default: return the whole object. `handling=strict`: refuse a request for many tasks instead of skipping unknown ids. Unknown preferences are ignored.',
    // The default comes first, since generators fill in the first: a sample request must not change the response.
    schema: { type: 'string', examples: ['return=representation', 'return=minimal', 'handling=strict'] },
  },
  'last-event-id': {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The id of the last received event: the stream continues after it.',
    schema: { type: 'string', examples: ['1042'] },
  },
}

export const answerHeaders: Record<ResponseHeader | 'x-request-id' | 'retry-after' | 'www-authenticate', Header> = {
  'x-request-id': { description: 'The id of the request in problems and in the log.', schema: { type: 'string' } },
  'retry-after': { description: 'Seconds to wait before the next attempt.', schema: { type: 'string' } },
  'www-authenticate': {
    description:
      'The authentication scheme, and what was wrong with the credential (RFC 6750). With 401, and with 403 if another scope is needed.',
    schema: { type: 'string', examples: ['Bearer realm="Duebell", error="insufficient_scope", scope="write"'] },
  },
  etag: { description: 'The version of the returned object, for If-Match.', schema: etag },
  location: { description: 'The path of the created object.', schema: { type: 'string', examples: ['/v1/tasks/1'] } },
  link: { description: 'The next page, as `rel="next"`, if there is one.', schema: { type: 'string' } },
  'accept-patch': { description: 'The accepted media types of patches.', schema: { type: 'string' } },
  'idempotency-replayed': {
    description: '`true`: the response repeats that of the first request.',
    schema: { type: 'string' },
  },
  'preference-applied': {
    description: 'The preferences of the request that were applied.',
    schema: { type: 'string' },
  },
}

/** The usual spelling of a header name: `if-match` becomes `If-Match`. */
export function headerName(name: string): string {
  return oddNames[name] ?? name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

const oddNames: Record<string, string> = { etag: 'ETag', 'www-authenticate': 'WWW-Authenticate' }

/** A problem of RFC 9457 with members of our own. */
export const problemShape: Schema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance', 'request_id'],
  properties: {
    type: { type: 'string', description: 'The page about this kind of problem, such as `/problems/invalid`' },
    title: { type: 'string', description: 'The kind of problem in words' },
    status: { type: 'integer', description: 'The status of the response' },
    detail: { type: 'string', description: 'A sentence that says what is wrong with this request' },
    instance: { type: 'string', description: 'The path of the request' },
    request_id: { type: 'string', description: 'The X-Request-Id, which is also in the log' },
    errors: {
      type: 'array',
      description: 'Each fault, with a JSON pointer into the body (RFC 6901) or the name of a parameter',
      items: {
        type: 'object',
        required: ['detail'],
        properties: { pointer: { type: 'string' }, parameter: { type: 'string' }, detail: { type: 'string' } },
      },
    },
    current: { $ref: 'Task', description: 'With 412: the current task' },
    missing: {
      type: 'array',
      items: { type: 'integer' },
      description: 'With 404 to a request for many tasks: the ids that do not exist',
    },
  },
}
