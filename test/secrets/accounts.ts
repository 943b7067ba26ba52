import assert from 'node:assert/strict'
import { eventually } from '#kit/eventually.ts'
import type { CanaryFixture } from './fixture.ts'
import type { Answered } from './output-recorder.ts'

/** The credentials of people and their programs. */
export interface Keys {
  /** Credentials of Ada, an administrator. */
  readonly token: string
  readonly session: string
  readonly password: string
  readonly readToken: string
  /** Credentials of Bert, a member. */
  readonly bertsToken: string
  /** All credentials, valid or not. */
  readonly all: readonly string[]
}

/** First-run setup, sign-ins that succeed and fail, tokens, invitations, correct and wrong passwords. */
export async function createAccounts({ canaries, ask, learn, output }: CanaryFixture): Promise<Keys> {
  await eventually('it can be set up', () => /#dbi_\w+/.test(output.stdout))
  const setUp = canaries.add('the set-up code', /dbi_\w+/.exec(output.stdout)?.[0] ?? '')
  const first = canaries.make('acceptInvitation.password', (mark) => `${mark} "ü\\`)
  const accept = (code: string, name: string | undefined, password: string, shown: readonly string[] = []) =>
    ask('POST', '/v1/invitations/accept', { body: { code, name, password }, shown })
  const cookieOf = ({ headers }: Answered) => /__Host-duebell=(dbs_\w+)/.exec(String(headers['set-cookie']))?.[1]

  let firstSession: string | undefined
  const token = await learn(
    'a token',
    ({ body }) => body.token,
    async (shown) => {
      const answer = await accept(setUp, 'ada', first, [...shown, 'the first session'])
      firstSession = cookieOf(answer)
      return answer
    },
  )
  canaries.add('the first session', firstSession ?? '')
  const signedInFirst = { cookie: `__Host-duebell=${firstSession}` }

  const makeToken = (scope: string, asking: object) =>
    learn(
      'a token',
      ({ body }) => body.token,
      (shown) => ask('POST', '/v1/tokens', { body: { name: scope, scopes: [scope] }, ...asking, shown }),
    )
  const signIn = (login: string, password: string) =>
    learn('a session', cookieOf, (shown) => ask('POST', '/v1/session', { body: { login, password }, shown }))
  const refuse = async (asked: Promise<Answered>, status: number) => assert.equal((await asked).status, status)

  const readToken = await makeToken('read', { token })
  const revoked = await makeToken('read', { token })
  const { body } = await ask('GET', '/v1/tokens', { token })
  const { id } = body.tokens.find(({ hint }: { hint: string }) => revoked.startsWith(hint))
  await ask('DELETE', `/v1/tokens/${id}`, { token })
  const ended = await signIn('ada', first)

  const password = canaries.make('changePassword.password')
  const change = (current: string, given: string) =>
    ask('PUT', '/v1/session/password', { headers: signedInFirst, body: { current, password: given } })
  await refuse(change(canaries.make('changePassword.current'), password), 403)
  await refuse(change(first, 'short'), 422)
  await refuse(change(first, password), 200)
  const session = await signIn('ada', password)

  const bert = { name: 'bert', email: 'bert@example.org' }
  const replaced = await learn(
    'an invitation',
    ({ body }) => body.invitation?.code,
    (shown) => ask('POST', '/v1/users', { token, body: bert, shown }),
  )
  const used = await learn(
    'an invitation',
    ({ body }) => body.code,
    (shown) => ask('POST', '/v1/users/2/invitation', { headers: signedInFirst, shown }),
  )
  const bertsPassword = canaries.make("bert's password")
  const cookie = await learn('a session', cookieOf, (shown) => accept(used, undefined, bertsPassword, shown))
  const bertsToken = await makeToken('admin', { headers: { cookie: `__Host-duebell=${cookie}` } })
  const created = canaries.make('createUser.password')
  await refuse(ask('POST', '/v1/users', { token, body: { name: 'carl', password: created } }), 200)

  const wrong = canaries.make('signIn.password')
  const typed = (login: string, password: string) => ask('POST', '/v1/session', { body: { login, password } })
  await refuse(typed('ada', wrong), 401)
  await refuse(typed(canaries.make('a password where the name belongs'), wrong), 401)
  await refuse(typed(password, 'ada'), 401)
  await refuse(typed('nobody', password), 401)
  for (const code of [replaced, used, setUp, `${used.slice(0, -1)}_`, wrong])
    await refuse(accept(code, undefined, wrong), 401)
  return {
    token,
    session,
    password,
    readToken,
    bertsToken,
    all: [token, session, readToken, revoked, ended, used, setUp],
  }
}
