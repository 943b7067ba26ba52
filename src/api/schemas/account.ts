import { passwordLength, roles } from '#core/account.ts'
import { scopes } from '#core/scope.ts'
import Type, { type Static } from '#json-schema.ts'
import { ignored, nullable, time } from './common.ts'

const ScopeShape = Type.Enum(scopes, {
  description:
    'read · write: also change tasks, and what rings · admin: also channels, settings, tokens, and what cannot be undone. Each takes the one before it in',
})

const secret = (what: string) => Type.String({ description: `${what}. Shown in this answer alone` })

export const UserShape = Type.Object(
  {
    id: Type.Integer(),
    name: nullable(
      Type.String({ description: 'By which he signs in; null for the first as long as nobody has said it' }),
    ),
    email: nullable(Type.String()),
    role: Type.Enum(roles, { description: 'admin: of the server as well' }),
    disabled_dt: nullable(time('Since when he cannot come in')),
    create_dt: time('When he was made'),
    version: Type.Integer({ description: 'Counts changes by administrators; also its ETag' }),
  },
  { $id: 'User' },
)

export type UserWire = Static<typeof UserShape>

export const InvitationShape = Type.Object(
  {
    code: secret('What sets his password, once: POST /v1/invitations/accept'),
    url: nullable(
      Type.String({ description: 'A page that does so; null where nobody has said how the server is reached' }),
    ),
    expires_dt: time('Until when'),
  },
  { $id: 'Invitation' },
)

export type InvitationWire = Static<typeof InvitationShape>

export const NewUserShape = Type.Object(
  { ...UserShape.properties, invitation: Type.Union([InvitationShape, Type.Null()]) },
  { $id: 'NewUser' },
)

export type NewUserWire = Static<typeof NewUserShape>

const name = Type.String({
  maxLength: 50,
  description: 'a-z, 0-9, dots, hyphens and underscores',
  examples: ['ada'],
})

const email = nullable(Type.String({ maxLength: 254, examples: ['ada@example.org'] }))

const password = Type.String({
  maxLength: 4 * passwordLength.max,
  description: `${passwordLength.min} to ${passwordLength.max} characters`,
  writeOnly: true,
})

export const UserDraftShape = Type.Object(
  {
    name,
    email: Type.Optional(email),
    role: Type.Optional(Type.Enum(roles, { description: 'member when absent' })),
    password: Type.Optional(password),
  },
  { $id: 'UserDraft', additionalProperties: false },
)

export type UserDraftWire = Static<typeof UserDraftShape>

export const UserPatchShape = Type.Object(
  {
    name: Type.Optional(name),
    email: Type.Optional(email),
    role: Type.Optional(Type.Enum(roles)),
    disabled: Type.Optional(Type.Boolean({ description: 'He cannot come in; what he has is kept, and rings' })),
    id: Type.Optional(ignored),
    disabled_dt: Type.Optional(ignored),
    create_dt: Type.Optional(ignored),
    version: Type.Optional(ignored),
  },
  { $id: 'UserPatch', additionalProperties: false },
)

export type UserPatchWire = Static<typeof UserPatchShape>

export const UsersShape = Type.Object(
  { users: Type.Array(UserShape), next_cursor: nullable(Type.String()) },
  { $id: 'Users' },
)

export type UsersWire = Static<typeof UsersShape>

export const DeletedUserShape = Type.Object({ id: Type.Integer() }, { $id: 'DeletedUser' })

export const TokenShape = Type.Object(
  {
    id: Type.Integer(),
    kind: Type.Enum(['token', 'session'], { description: 'session: of a person who signed in' }),
    name: Type.String({ description: 'Of a session, what its browser called itself' }),
    hint: Type.String({ description: 'How it begins' }),
    scopes: Type.Array(ScopeShape),
    is_current: Type.Boolean({ description: 'It is what was asked with' }),
    create_dt: time('When it was made'),
    expires_dt: nullable(time('Until when it is good; null: until it is revoked')),
    last_used_dt: nullable(time('To the minute')),
    parent_id: nullable(
      Type.Integer({
        description: 'The token that made it, and is revoked with it; null: made by a session, or on the server itself',
      }),
    ),
  },
  { $id: 'Token' },
)

export type TokenWire = Static<typeof TokenShape>

export const TokensShape = Type.Object({ tokens: Type.Array(TokenShape) }, { $id: 'Tokens' })

export type TokensWire = Static<typeof TokensShape>

export const NewTokenShape = Type.Object(
  { ...TokenShape.properties, token: secret('What to send as Authorization: Bearer') },
  { $id: 'NewToken' },
)

export type NewTokenWire = Static<typeof NewTokenShape>

export const TokenDraftShape = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, examples: ['certificate watcher'] }),
    scopes: Type.Array(ScopeShape, {
      minItems: 1,
      maxItems: scopes.length,
      uniqueItems: true,
      examples: [['read', 'write']],
    }),
    expires_dt: Type.Optional(
      nullable(
        Type.String({
          maxLength: 100,
          description:
            'Null: until it is revoked. Absent: the same, or, when a token makes it, until that one expires; later is refused',
        }),
      ),
    ),
  },
  { $id: 'TokenDraft', additionalProperties: false },
)

export type TokenDraftWire = Static<typeof TokenDraftShape>

export const RevokedTokenShape = Type.Object(
  {
    id: Type.Integer(),
    revoked: Type.Integer({ description: 'How many, with those made with it; with dry_run how many it would be' }),
  },
  { $id: 'RevokedToken' },
)

export const SessionShape = Type.Object(
  {
    user: Type.Union([UserShape, Type.Null()]),
    scopes: Type.Array(ScopeShape),
    by: nullable(Type.String({ description: 'What was asked with: token, session or socket' })),
    sign_in: Type.Object(
      {
        required: Type.Boolean({ description: 'false: a server without login' }),
        password: Type.Boolean(),
        provider: nullable(
          Type.String({ description: 'What the button to an OpenID provider says; it leads to /auth/oidc' }),
        ),
      },
      { description: 'How one comes in' },
    ),
  },
  { $id: 'Session' },
)

export type SessionWire = Static<typeof SessionShape>

export const SignInShape = Type.Object(
  { login: Type.String({ minLength: 1, maxLength: 254, description: 'Name or e-mail address' }), password },
  { $id: 'SignIn', additionalProperties: false },
)

const endedAccess = {
  sessions_ended: Type.Integer({ description: 'How many sessions have ended' }),
  tokens_revoked: Type.Integer({ description: 'How many tokens have ended' }),
}

export const SignedOutEverywhereShape = Type.Object(endedAccess, { $id: 'SignedOutEverywhere' })

export type SignedOutEverywhereWire = Static<typeof SignedOutEverywhereShape>

export const SignedOutShape = Type.Object({ signed_out: Type.Boolean() }, { $id: 'SignedOut' })

export const AcceptInvitationShape = Type.Object(
  {
    code: Type.String({ maxLength: 200, writeOnly: true }),
    name: Type.Optional(name),
    password,
  },
  { $id: 'AcceptInvitation', additionalProperties: false },
)

export const AcceptedInvitationShape = Type.Object(
  {
    user: UserShape,
    token: nullable(secret('Where the server was set up by it: a first token, of all scopes')),
  },
  { $id: 'AcceptedInvitation' },
)

export const PasswordChangeShape = Type.Object(
  {
    current: Type.Optional(password),
    password,
    revoke_tokens: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether all your tokens end as well; other sessions always do' }),
    ),
  },
  { $id: 'PasswordChange', additionalProperties: false },
)

export const PasswordChangedShape = Type.Object({ changed: Type.Boolean(), ...endedAccess }, { $id: 'PasswordChanged' })

export type PasswordChangeWire = Static<typeof PasswordChangeShape>

export type PasswordChangedWire = Static<typeof PasswordChangedShape>

export const AuditEntryShape = Type.Object(
  {
    id: Type.Integer(),
    at_dt: time('When'),
    user_id: nullable(Type.Integer({ description: 'Who; null where that is not known' })),
    user: nullable(Type.String({ description: 'His name by then' })),
    by: nullable(Type.String({ description: 'What he asked with: token, session, socket, link' })),
    by_name: nullable(Type.String()),
    operation: Type.String({ description: 'The operationId' }),
    object: Type.String({ description: 'The path of what it was done to' }),
    status: Type.Integer({ description: 'Of the answer: what was refused is here, too' }),
    address: nullable(Type.String({ description: 'From where' })),
    request_id: Type.String(),
  },
  { $id: 'AuditEntry' },
)

export const AuditShape = Type.Object(
  { entries: Type.Array(AuditEntryShape), next_cursor: nullable(Type.String()) },
  { $id: 'Audit' },
)

export type AuditWire = Static<typeof AuditShape>
