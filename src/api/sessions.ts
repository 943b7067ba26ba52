import { operation } from './operation.ts'
import {
  AcceptedInvitationShape,
  AcceptInvitationShape,
  NewTokenShape,
  PasswordChangedShape,
  PasswordChangeShape,
  RevokedTokenShape,
  SessionShape,
  SignedOutEverywhereShape,
  SignedOutShape,
  SignInShape,
  TokenDraftShape,
  TokensShape,
} from './schemas/account.ts'
import { DryRunQuery, IdParams, NoQuery } from './schemas/request.ts'

/** How people sign in and out, and what programs ask with. */
const all = { tag: 'accounts', query: NoQuery } as const

export const getSession = operation({
  id: 'getSession',
  method: 'GET',
  path: '/v1/session',
  scope: 'none',
  summary: 'Get the current user and session',
  description: 'Who is asking, and how one signs in.',
  ...all,
  response: SessionShape,
})

export const signIn = operation({
  id: 'signIn',
  method: 'POST',
  path: '/v1/session',
  scope: 'none',
  summary: 'Sign in with name and password',
  description:
    'As a person in a browser: sets a cookie for a month, which only pages of this server can use. Over https, or on the machine itself: elsewhere a browser would not keep it.',
  ...all,
  body: SignInShape,
  response: SessionShape,
  problems: ['unauthorized'],
})

export const signOut = operation({
  id: 'signOut',
  method: 'DELETE',
  path: '/v1/session',
  scope: 'read',
  summary: 'Sign out',
  description: 'The session ends here and everywhere.',
  ...all,
  response: SignedOutShape,
})

export const signOutEverywhere = operation({
  id: 'signOutEverywhere',
  method: 'POST',
  path: '/v1/session/sign-out-everywhere',
  scope: 'admin',
  summary: 'End all your sessions and tokens',
  description:
    'Every session, every token and every open invitation of yours ends, also the one that this request was sent with. Streams end at once. Sign in again to go on.',
  ...all,
  response: SignedOutEverywhereShape,
})

export const changePassword = operation({
  id: 'changePassword',
  method: 'PUT',
  path: '/v1/session/password',
  scope: 'admin',
  sessionOnly: true,
  summary: 'Change your password',
  description:
    'All your other sessions end, and open invitations. Tokens stay valid, so that programs go on, unless `revoke_tokens` is true: set it when somebody else may have had your password. A bearer token cannot set or change a password, also where there is none yet.',
  ...all,
  body: PasswordChangeShape,
  response: PasswordChangedShape,
})

export const acceptInvitation = operation({
  id: 'acceptInvitation',
  method: 'POST',
  path: '/v1/invitations/accept',
  scope: 'none',
  summary: 'Set a password by an invitation',
  description:
    'The code of an invitation, or what stands behind the # of its link, is good for this once. All sessions and tokens of the account end, but at the first set-up of a server: there the first user chooses a name, and gets a token of all scopes, shown this once.',
  ...all,
  body: AcceptInvitationShape,
  response: AcceptedInvitationShape,
  problems: ['unauthorized'],
})

export const listTokens = operation({
  id: 'listTokens',
  method: 'GET',
  path: '/v1/tokens',
  scope: 'admin',
  summary: 'List your tokens and sessions',
  description: 'The newest first.',
  ...all,
  response: TokensShape,
})

export const createToken = operation({
  id: 'createToken',
  method: 'POST',
  path: '/v1/tokens',
  scope: 'admin',
  summary: 'Create a token',
  description:
    'A token made with a token is its child: it has no wider scope, expires no later, and is revoked with it. One made by a session depends on nothing but your role. It is shown in this answer alone: only its hash is kept. So an Idempotency-Key has no effect here; a request that is sent twice makes two, and one of them can be revoked.',
  ...all,
  body: TokenDraftShape,
  response: NewTokenShape,
  responseHeaders: ['location'],
})

export const revokeToken = operation({
  id: 'revokeToken',
  method: 'DELETE',
  path: '/v1/tokens/{id}',
  scope: 'admin',
  summary: 'Revoke a token, or end a session',
  description:
    'It is good for nothing within a second, on every replica; streams that were begun with it end. All tokens that were made with it are revoked as well, and those made with these.',
  ...all,
  params: IdParams,
  query: DryRunQuery,
  response: RevokedTokenShape,
})
