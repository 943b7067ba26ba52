import type { RequestHeader, ResponseHeader } from '#api/operation.ts'
import type { Header, Parameter, Schema } from './document.ts'

/** What the document says and no route does: about the whole, its tags, headers and problems. */
export const info = {
  title: 'Duebell',
  summary: 'Tasks that ring before they are due.',
  description: `Tasks with an expiry, and a bell that warns before it, on every channel you have.

**Times** go in as RFC 3339, with an optional zone (RFC 9557); without an offset they are local to the task's \`time_zone\`, else the server's. They
come out in UTC, with milliseconds. Names of times end in \`_dt\`; durations are ISO 8601.

**Changes.** A member that is absent stays as it is, \`null\` clears it, lists replace (RFC 7396), in PUT as in PATCH. Members that are not known
are refused; those that cannot be set are ignored, so that what was read can be sent back.

**Who asks.** A server without login answers the programs of its own machine. Else each request carries a token, \`Authorization: Bearer dbl_…\`, or
the cookie of a person who signed in. Each has a scope: \`read\`, \`write\` or \`admin\`, of which each takes the one before it in. What is another
user's is not there: 404.

**Problems.** Every answer of 400 and above is a problem document (RFC 9457) whose \`type\` leads to a page of this server, and whose \`errors\`
name each fault. Besides those listed, any path answers 405 to a method that it does not have, and what cannot be read as HTTP gets 400, 408
or 431.

**Growth.** Within \`/v1\` nothing disappears, and nothing that was taken is refused later. Answers may gain members, and enumerations values: pass
over those you do not know.`,
  license: { name: 'MIT', identifier: 'MIT' },
}

/**
 * `/` is first: it is right wherever the document is read from its server, as /docs does and a generator that is given its URL. Who
 * generates a client from the file takes the second, and sets where the server is.
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
      'A token of POST /v1/tokens, or of `duebell token create` on the server. A server without login asks for none.',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-duebell',
    description: 'Of a person who signed in, for pages of the server itself.',
  },
}

export const tags: Record<string, string> = {
  tasks: 'What expires, and when to be told.',
  tags: 'The words by which tasks are grouped.',
  trash: 'Deleted tasks, which can be restored for some days.',
  channels: 'Where notifications go, how calmly, and how each of them is.',
  notifications: 'What rang and will ring, and how each channel took it.',
  events: 'What changes and happens, to be followed.',
  accounts: 'Who may ask: users, tokens, sessions, and who did what.',
  health: 'Whether the server lives, and whether it works.',
}

const etag: Schema = { type: 'string', examples: ['"3"'] }

/** Words for every header that a route may name: the compiler asks for the forgotten one. */
export const requestHeaders: Record<RequestHeader, Parameter> = {
  'if-match': {
    name: 'If-Match',
    in: 'header',
    description:
      'The ETag of what is to be changed. Where that is another by now, nothing is changed and the answer is 412.',
    schema: etag,
  },
  'if-none-match': {
    name: 'If-None-Match',
    in: 'header',
    description: 'An ETag that the caller has. While it is the present one, the answer is 304 without a body.',
    schema: etag,
  },
  'idempotency-key': {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'A text of the caller, unique for this request. Sent again with the same request, it brings the first answer, and nothing is done twice.',
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
      '`return=minimal`: answer only id and version; `handling=strict`, of many: refuse all for what would otherwise be skipped (RFC 7240). `return=representation`, the whole answer, is the default. Preferences that are not known are passed over.',
    // The default comes first, since generators fill in the first: a sample request must not change what is answered.
    schema: { type: 'string', examples: ['return=representation', 'return=minimal', 'handling=strict'] },
  },
  'last-event-id': {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The id of the last event that was received: the stream goes on behind it.',
    schema: { type: 'string', examples: ['1042'] },
  },
}

export const answerHeaders: Record<ResponseHeader | 'x-request-id' | 'retry-after' | 'www-authenticate', Header> = {
  'x-request-id': { description: 'The request in problems and in the log.', schema: { type: 'string' } },
  'retry-after': { description: 'Seconds after which another try makes sense.', schema: { type: 'string' } },
  'www-authenticate': {
    description:
      'How to say who is asking, and what was wrong with how it was said (RFC 6750): with 401, and with 403 where another scope would do.',
    schema: { type: 'string', examples: ['Bearer realm="Duebell", error="insufficient_scope", scope="write"'] },
  },
  etag: { description: 'The version of what was answered: for If-Match.', schema: etag },
  location: { description: 'Where what was created is found.', schema: { type: 'string', examples: ['/v1/tasks/1'] } },
  link: { description: 'The next page, as `rel="next"`, where there is one.', schema: { type: 'string' } },
  'accept-patch': { description: 'The media types of patches.', schema: { type: 'string' } },
  'idempotency-replayed': { description: '`true`: this is the first answer again.', schema: { type: 'string' } },
  'preference-applied': { description: 'What was followed of Prefer.', schema: { type: 'string' } },
}

/** `if-match` as it is written: `If-Match`. */
export function headerName(name: string): string {
  return oddNames[name] ?? name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

const oddNames: Record<string, string> = { etag: 'ETag', 'www-authenticate': 'WWW-Authenticate' }

/** RFC 9457, with our members. */
export const problemShape: Schema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'instance', 'request_id'],
  properties: {
    type: { type: 'string', description: 'A page of this server about the kind of problem: `/problems/invalid`' },
    title: { type: 'string', description: 'The kind in words' },
    status: { type: 'integer', description: 'The status of the answer' },
    detail: { type: 'string', description: 'What is wrong with this request, in a sentence' },
    instance: { type: 'string', description: 'The path that was asked for' },
    request_id: { type: 'string', description: 'The X-Request-Id, under which the log has it' },
    errors: {
      type: 'array',
      description: 'Each fault, with a JSON pointer into the body (RFC 6901) or the name of a parameter',
      items: {
        type: 'object',
        required: ['detail'],
        properties: { pointer: { type: 'string' }, parameter: { type: 'string' }, detail: { type: 'string' } },
      },
    },
    current: { $ref: 'Task', description: 'With 412: the task as it is now' },
    missing: {
      type: 'array',
      items: { type: 'integer' },
      description: 'With 404 for many: the ids of those that are not there',
    },
  },
}
