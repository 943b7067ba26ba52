import assert from 'node:assert/strict'
import type { Role } from '#core/account.ts'
import type { Scope } from '#core/scope.ts'
import { password, setUpCode, signIn } from '#support/accounts.ts'
import type { TestApp } from '#support/test-app.ts'

/** A user of a server with login, with a token of each scope. */
export interface Account {
  readonly id: number
  readonly name: string
  readonly password: string
  readonly tokens: Readonly<Record<Scope, string>>
  /** The cookie of a session, as a browser sends it. */
  readonly cookie: string
  /** Sends a request with that session, which has all permissions. */
  send(method: string, path: string, body?: unknown): Promise<Response>
  /**
   * The same, but fails if the request is refused.
   * @returns the body
   */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  ask(method: string, path: string, body?: unknown): Promise<any>
}

export interface Accounts {
  /** The user who set up the server, and administers it. */
  readonly root: Account
  add(name: string, role?: Role): Promise<Account>
}

/** Sets up a server that was started with `--login`, and adds more users. */
export async function inviteAccounts({ url, lines }: Pick<TestApp, 'url' | 'lines'>): Promise<Accounts> {
  const sendAs =
    (headers: Record<string, string>): Account['send'] =>
    (method, path, body) =>
      fetch(url + path, {
        method,
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
  const askAs =
    (headers: Record<string, string>): Account['ask'] =>
    async (method, path, body) => {
      const response = await sendAs(headers)(method, path, body)
      const text = await response.text()
      assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`)
      return JSON.parse(text)
    }

  async function person(id: number, name: string, cookie: string): Promise<Account> {
    const session = { cookie }
    const make = async (scope: Scope) =>
      (await askAs(session)('POST', '/v1/tokens', { name: scope, scopes: [scope] })).token
    const tokens = { read: await make('read'), write: await make('write'), admin: await make('admin') }
    return { id, name, password, tokens, cookie, send: sendAs(session), ask: askAs(session) }
  }

  const code = setUpCode(lines) ?? assert.fail('no link to set the server up was printed')
  const { user } = await askAs({})('POST', '/v1/invitations/accept', { code, name: 'root', password })
  const root = await person(user.id, user.name, await signIn(url, user.name))
  return {
    root,
    async add(name, role = 'member') {
      const { id } = await root.ask('POST', '/v1/users', { name, role, password })
      return person(id, name, await signIn(url, name))
    },
  }
}
