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

/** Sign-in and sign-out of people, and the tokens of programs. */
const all = { tag: 'accounts', query: NoQuery } as const

export const getSession = operation({
  id: 'getSession',
  method: 'GET',
  path: '/v1/session',
  scope: 'none',
  summary: 'Get the current user and session',
  description: 'Returns the user and scopes of this request, and the ways to sign in.',
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
    'For people in a browser. Sets a cookie for a month, which only pages of this server can use. Browsers keep it only over https, or on the machine of the server.',
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
  description: 'Ends the session on every replica.',
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
    'Ends all your sessions, tokens and open invitations, including the credential of this request. Open streams end at once. Sign in again to continue.',
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
    'Ends all your other sessions and open invitations. Tokens stay valid, so that programs keep working, unless `revoke_tokens` is true. Set it if another person may know your password. A bearer token cannot set or change a password, not even the first one.',
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
    'The code is that of the invitation, or the part of its link after the #. It works once. All sessions and tokens of the account end. During the first-run setup of a server they do not: the first user chooses a name there, and gets a token with all scopes, which only this response shows.',
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
  description: 'Returns the newest first.',
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
    'Only this response shows the token; the server stores its hash. A token created with a token is its child: it has no wider scope, expires no later, and is revoked with it. A token created in a session depends only on your role. An Idempotency-Key has no effect: a repeated request creates a second token, which you can revoke.',
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
    'Takes effect within a second on every replica, and ends streams that use the token. All tokens created with it, directly or through other tokens, are revoked as well.',
  ...all,
  params: IdParams,
  query: DryRunQuery,
  response: RevokedTokenShape,
})
