import assert from 'node:assert/strict'
import type { Account } from './accounts.ts'
import type { Matrix } from './matrix.ts'
import type { AccessRequest, Operation, Reply, Send } from './requests.ts'
import { nothing } from './rules.ts'

/** A possible fault of a server, how the server would behave, and how the matrix of access reports it. */
export type AccessFault = readonly [words: string, operations: readonly Operation[], send: Send, expected: RegExp]

/** Each fault is a layer between the matrix and a server without faults. */
export function accessFaults({ operations, people, unauthenticatedCallers, send }: Matrix): readonly AccessFault[] {
  const { root, user, other } = people
  const find = (id: string) => operations.find((one) => one.id === id) ?? assert.fail(`there is no ${id}`)
  const as = (request: AccessRequest, { tokens }: Account): AccessRequest => ({
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${tokens.admin}` },
  })
  const isBy = ({ headers }: AccessRequest, token: string) => headers.authorization === `Bearer ${token}`
  const expired = unauthenticatedCallers.find(({ words }) => words === 'an expired token')?.headers.authorization
  const replies = new Map<string, Reply>()

  return [
    [
      'a handler that ignores the user',
      [find('getTask')],
      (request) => send(isBy(request, other.tokens.admin) ? as(request, user) : request),
      /^getTask: GET with a «path id» of another user: 200 and not 404 .*contains data of another user/s,
    ],
    [
      'a list of the objects of all users',
      [find('listTags')],
      (request) => send(isBy(request, other.tokens.admin) ? as(request, user) : request),
      /^listTags: GET by another user: the response contains data of another user/,
    ],
    [
      'a handler that acts before it refuses',
      [find('deleteTask')],
      async (request) => {
        if (isBy(request, other.tokens.admin)) await send(as(request, user))
        return send(request)
      },
      /^deleteTask: DELETE with a «path id» of another user: changed: .*tasks of \d/,
    ],
    [
      'authentication that runs after the handler',
      [find('createTask')],
      async (request) => {
        if (request.headers.authorization === undefined) await send(as(request, user))
        return send(request)
      },
      /^createTask: POST by a caller without a credential: changed: .*tasks of \d/,
    ],
    [
      'a response that distinguishes an object of another user from a missing one',
      [find('completeTask')],
      async (request) => {
        const reply = await send(request)
        const isOfUser = reply.status === 404 && !request.target.includes(nothing)
        return isOfUser ? { ...reply, text: reply.text.replace('There is no task', 'Not yours is task') } : reply
      },
      /^completeTask: POST with a «path id» of another user: differs from the response for a missing object/,
    ],
    [
      'a response that is stored for a key, and not for its user',
      [find('createTask')],
      async (request) => {
        const key = request.headers['idempotency-key'] ?? 'none'
        const reply = replies.get(key) ?? (await send(request))
        if (key !== 'none')
          replies.set(key, { ...reply, headers: new Headers([...reply.headers, ['idempotency-replayed', 'true']]) })
        return reply
      },
      /^createTask: POST with a «header Idempotency-Key» of another user: differs from/,
    ],
    [
      'a HEAD that reveals more than its GET',
      [find('getTask')],
      (request) => send(request.method === 'HEAD' ? as(request, user) : request),
      /^getTask: HEAD by a caller without a credential: 200 and not 401/,
    ],
    [
      'a scope that is not checked',
      [find('createTask')],
      (request) => send(isBy(request, user.tokens.read) ? as(request, user) : request),
      /^createTask: POST by a token of the scope read: 200 and not 403/,
    ],
    [
      'a scope that is not enough, although the document says so',
      [{ ...find('createToken'), scope: 'write' }],
      send,
      /^createToken: POST with the scope write: 403/,
    ],
    [
      'a role that is not checked',
      [find('listUsers')],
      (request) => send(isBy(request, user.tokens.admin) ? as(request, root) : request),
      /^listUsers: GET by a user who does not administer the server: 200 and not 403/,
    ],
    [
      'a token that is accepted for an operation that needs a session',
      [find('changePassword')],
      (request) => {
        if (!isBy(request, user.tokens.admin)) return send(request)
        const { authorization: _, ...headers } = request.headers
        return send({ ...request, headers: { ...headers, cookie: user.cookie } })
      },
      /^changePassword: PUT by a token of all scopes: 200 and not 403/,
    ],
    [
      'a token that is valid for longer than it says',
      [find('listTags')],
      (request) => send(request.headers.authorization === expired ? as(request, user) : request),
      /^listTags: GET by an expired token: 200 and not 401/,
    ],
    [
      'a refusal that does not say how to authenticate',
      [find('listTags')],
      async (request) => {
        const { headers, ...reply } = await send(request)
        return { ...reply, headers: new Headers([...headers].filter(([name]) => name !== 'www-authenticate')) }
      },
      /^listTags: GET by a caller without a credential: WWW-Authenticate is null/,
    ],
    [
      'an operation without a rule for its path parameter',
      [{ ...find('getTask'), id: 'getSomethingNew' }],
      send,
      /^getSomethingNew: no rule says what «path id» names/,
    ],
    [
      'a new parameter without a rule',
      [{ ...find('listTags'), parameters: ['query user_id'] }],
      send,
      /^listTags: no rule says what «query user_id» names/,
    ],
    [
      'a public operation that no rule declares public',
      [{ ...find('listTags'), scope: 'none' }],
      send,
      /^listTags is public, and no rule says that it is meant to be/,
    ],
  ]
}
