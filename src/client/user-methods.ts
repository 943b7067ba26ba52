import type {
  AuditWire,
  InvitationWire,
  NewTokenWire,
  NewUserWire,
  PasswordChangedWire,
  PasswordChangeWire,
  SessionWire,
  SignedOutEverywhereWire,
  TokenDraftWire,
  TokensWire,
  UserDraftWire,
  UserPatchWire,
  UsersWire,
  UserWire,
} from '#api/schemas/account.ts'
import type { SettingsPatchWire, SettingsWire } from '#api/schemas/settings.ts'
import type { Call, Precondition } from './call.ts'
import { withQuery } from './query.ts'

/** Methods for users: their settings, sessions and tokens. */
export function userMethods(call: Call) {
  return {
    settings: () => call<SettingsWire>('GET', '/v1/settings'),
    updateSettings: (patch: SettingsPatchWire) => call<SettingsWire>('PATCH', '/v1/settings', patch),
    /** The current user, and the ways to sign in. */
    session: () => call<SessionWire>('GET', '/v1/session'),
    /** For pages of the server itself, which alone get its cookie. Programs use a `token`. */
    signIn: (login: string, password: string) => call<SessionWire>('POST', '/v1/session', { login, password }),
    signOut: () => call<{ signed_out: boolean }>('DELETE', '/v1/session'),
    /** Revokes all sessions and tokens, including the caller's own. */
    signOutEverywhere: () => call<SignedOutEverywhereWire>('POST', '/v1/session/sign-out-everywhere'),
    changePassword: (change: PasswordChangeWire) => call<PasswordChangedWire>('PUT', '/v1/session/password', change),
    acceptInvitation: (acceptance: { code: string; name?: string; password: string }) =>
      call<{ user: UserWire; token: string | null }>('POST', '/v1/invitations/accept', acceptance),
    tokens: () => call<TokensWire>('GET', '/v1/tokens'),
    /** Only this response contains the token itself. */
    createToken: (token: TokenDraftWire) => call<NewTokenWire>('POST', '/v1/tokens', token),
    revokeToken: (id: number) => call<{ id: number }>('DELETE', `/v1/tokens/${id}`),
    users: (query: { limit?: number; cursor?: string } = {}) => call<UsersWire>('GET', withQuery('/v1/users', query)),
    user: (id: number) => call<UserWire>('GET', `/v1/users/${id}`),
    createUser: (user: UserDraftWire) => call<NewUserWire>('POST', '/v1/users', user),
    updateUser: (id: number, patch: UserPatchWire, condition?: Precondition) =>
      call<UserWire>('PATCH', `/v1/users/${id}`, patch, condition),
    deleteUser: (id: number, condition?: Precondition) =>
      call<{ id: number }>('DELETE', `/v1/users/${id}`, undefined, { ...condition, isLong: true }),
    inviteUser: (id: number) => call<InvitationWire>('POST', `/v1/users/${id}/invitation`),
    signOutUser: (id: number) => call<SignedOutEverywhereWire>('POST', `/v1/users/${id}/sign-out-everywhere`),
    /** All data of a user, one JSON object a line. */
    exportUser: (id: number, signal: AbortSignal = new AbortController().signal) =>
      call.stream(`/v1/users/${id}/export`, { accept: 'application/jsonl' }, signal),
    audit: (query: { limit?: number; cursor?: string; user_id?: number; operation?: string } = {}) =>
      call<AuditWire>('GET', withQuery('/v1/audit', query)),
  }
}
