import assert from 'node:assert/strict'
import type { Account } from './accounts.ts'
import type { Matrix } from './matrix.ts'
import type { AccessRequest, Operation, Reply, Send } from './requests.ts'
import { nothing } from './rules.ts'

/** What may be wrong with a server, what it would do then, and what the matrix of access says of it. */
export type AccessFault = readonly [words: string, operations: readonly Operation[], send: Send, expected: RegExp]

/** Each stands between the matrix and a server with which nothing is wrong. */
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
      /^getTask: GET with a «path id» of another user: 200 and not 404 .*tells what is another user’s/s,
    ],
    [
      'a list of everybody’s',
      [find('listTags')],
      (request) => send(isBy(request, other.tokens.admin) ? as(request, user) : request),
      /^listTags: GET by another user: the answer tells what is another user’s/,
    ],
    [
      'a handler that has done it when it refuses',
      [find('deleteTask')],
      async (request) => {
        if (isBy(request, other.tokens.admin)) await send(as(request, user))
        return send(request)
      },
      /^deleteTask: DELETE with a «path id» of another user: changed: .*tasks of \d/,
    ],
    [
      'a door that lets in first and asks then',
      [find('createTask')],
      async (request) => {
        if (request.headers.authorization === undefined) await send(as(request, user))
        return send(request)
      },
      /^createTask: POST by nobody: changed: .*tasks of \d/,
    ],
    [
      'another user’s thing told from none',
      [find('completeTask')],
      async (request) => {
        const reply = await send(request)
        const isHis = reply.status === 404 && !request.target.includes(nothing)
        return isHis ? { ...reply, text: reply.text.replace('There is no task', 'Not yours is task') } : reply
      },
      /^completeTask: POST with a «path id» of another user: is told from what is not there/,
    ],
    [
      'an answer that is kept for a key, and not for its user',
      [find('createTask')],
      async (request) => {
        const key = request.headers['idempotency-key'] ?? 'none'
        const reply = replies.get(key) ?? (await send(request))
        if (key !== 'none')
          replies.set(key, { ...reply, headers: new Headers([...reply.headers, ['idempotency-replayed', 'true']]) })
        return reply
      },
      /^createTask: POST with a «header Idempotency-Key» of another user: is told from/,
    ],
    [
      'a HEAD that tells more than its GET',
      [find('getTask')],
      (request) => send(request.method === 'HEAD' ? as(request, user) : request),
      /^getTask: HEAD by nobody: 200 and not 401/,
    ],
    [
      'a scope that is not looked at',
      [find('createTask')],
      (request) => send(isBy(request, user.tokens.read) ? as(request, user) : request),
      /^createTask: POST by a token of the scope read: 200 and not 403/,
    ],
    [
      'a scope that is not enough, though the document says so',
      [{ ...find('createToken'), scope: 'write' }],
      send,
      /^createToken: POST with the scope write: 403/,
    ],
    [
      'a role that is not looked at',
      [find('listUsers')],
      (request) => send(isBy(request, user.tokens.admin) ? as(request, root) : request),
      /^listUsers: GET by one who does not administer the server: 200 and not 403/,
    ],
    [
      'a token that does what takes a session',
      [find('changePassword')],
      (request) => {
        if (!isBy(request, user.tokens.admin)) return send(request)
        const { authorization: _, ...headers } = request.headers
        return send({ ...request, headers: { ...headers, cookie: user.cookie } })
      },
      /^changePassword: PUT by a token of all scopes: 200 and not 403/,
    ],
    [
      'a token that is good for longer than it says',
      [find('listTags')],
      (request) => send(request.headers.authorization === expired ? as(request, user) : request),
      /^listTags: GET by an expired token: 200 and not 401/,
    ],
    [
      'a refusal that does not say how to come in',
      [find('listTags')],
      async (request) => {
        const { headers, ...reply } = await send(request)
        return { ...reply, headers: new Headers([...headers].filter(([name]) => name !== 'www-authenticate')) }
      },
      /^listTags: GET by nobody: WWW-Authenticate is null/,
    ],
    [
      'an operation whose path names nobody has said what',
      [{ ...find('getTask'), id: 'getSomethingNew' }],
      send,
      /^getSomethingNew: nobody has said what «path id» names/,
    ],
    [
      'a new parameter of which nobody has said what it names',
      [{ ...find('listTags'), parameters: ['query user_id'] }],
      send,
      /^listTags: nobody has said what «query user_id» names/,
    ],
    [
      'an operation for everybody that nobody has meant so',
      [{ ...find('listTags'), scope: 'none' }],
      send,
      /^listTags is for everybody, and nobody has said that it is meant to be/,
    ],
  ]
}
