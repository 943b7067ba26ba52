import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createClient, type DuebellClient } from '#client/client.ts'
import type { Role } from '#core/account.ts'
import type { Scope } from '#core/scope.ts'
import { migratedDatabase } from './databases.ts'
import { fakeClock } from './fake-clock.ts'
import { startLiveApp } from './live-app.ts'
import { stopWithFakeClock } from './stop-with-fake-clock.ts'
import { startTestApp, type TestApp, type TestAppOptions } from './test-app.ts'

/** The password of every user in these tests: hashing one takes 30 ms. */
export const password = 'six crows on a wire'

/** A user with an account, and a token. */
export interface Account {
  readonly id: number
  readonly name: string
  readonly token: string
  /** Sends a request with the token, to the current address of the server. */
  readonly client: DuebellClient
  /** Signs in, for operations that need a session. */
  page(): Promise<DuebellClient>
}

export interface LoginApp {
  readonly app: TestApp
  /** The first user, who has set up the server. */
  readonly root: Account
  /** Adds a user, who has accepted an invitation. */
  add(name: string, request?: { role?: Role; email?: string; scopes?: Scope[] }): Promise<Account>
}

/** A server with login, set up by the link that it has printed. */
export async function startWithLogin(t: TestContext, options: TestAppOptions = {}): Promise<LoginApp> {
  const app = await startTestApp(t, { ...options, flags: ['--login', ...(options.flags ?? [])] })
  const person = (id: number, name: string, token: string): Account => ({
    id,
    name,
    token,
    get client() {
      return clientWith(app.url, token)
    },
    page: async () => signedIn(app.url, await signIn(app.url, name)),
  })
  const set = await app.client.acceptInvitation({ code: setUpCode(app.lines) ?? '', name: 'root', password })
  const root = person(set.user.id, 'root', set.token ?? '')
  return {
    app,
    root,
    async add(name, { role = 'member', email, scopes = ['admin' as Scope] } = {}) {
      const by = role === 'admin' ? await root.page() : root.client // a token cannot create an administrator
      const { id, invitation } = await by.createUser({ name, role, ...(email !== undefined && { email }) })
      const cookie = await comeIn(app.url, '/v1/invitations/accept', { code: invitation?.code, password })
      const { token } = await signedIn(app.url, cookie).createToken({ name: 'of a test', scopes })
      return person(id, name, token)
    },
  }
}

/** Two servers with login on one database; the first is set up by its link. */
export async function startReplicasWithLogin(t: TestContext) {
  const url = await migratedDatabase(t)
  const clock = fakeClock()
  const lines: string[] = []
  const flags = ['--login']
  const [{ app: here }, { app: there }] = [
    await startLiveApp(t, url, { clock, flags, lines }),
    await startLiveApp(t, url, { clock, flags }),
  ]
  t.after(() =>
    stopWithFakeClock(
      clock,
      Promise.all([here.stop(), there.stop()]).then(() => {}),
    ),
  )
  const accepted = { code: setUpCode(lines) ?? '', name: 'root', password }
  const { token } = await clientWith(here.url, '').acceptInvitation(accepted)
  return { clock, here, there, token: token ?? '' }
}

export const clientWith = (url: string, token: string): DuebellClient => createClient(url, { token, tries: 1 })

/** The part after the # of the newest setup link; undefined if none was printed. */
export function setUpCode(lines: readonly string[]): string | undefined {
  return /\/set-up#(dbi_\w+)/.exec(lines.findLast((line) => line.includes('/set-up#')) ?? '')?.[1]
}

/** Signs in. @returns the cookie, as a browser sends it back */
export const signIn = (url: string, login: string, secret = password): Promise<string> =>
  comeIn(url, '/v1/session', { login, password: secret })

async function comeIn(url: string, path: string, body: object): Promise<string> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'a browser' },
    body: JSON.stringify(body),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return sessionOf(response.headers) ?? assert.fail('no session came with it')
}

/** The session among the cookies of a response, `name=value`. */
export function sessionOf(headers: Headers): string | undefined {
  const line = headers.getSetCookie().find((one) => one.startsWith('__Host-duebell='))
  return line?.split(';')[0]
}

/** Sends a request as a page of the server does, with a session. */
export function signedIn(url: string, cookie: string): DuebellClient {
  return createClient(url, { headers: { cookie }, tries: 1 })
}
