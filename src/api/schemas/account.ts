import { passwordLength, roles } from '#core/account.ts'
import { scopes } from '#core/scope.ts'
import Type, { type Static } from '#json-schema.ts'
import { ignored, nullable, time } from './common.ts'

const ScopeShape = Type.Enum(scopes, {
  description:
    '`read`: read · `write`: also change tasks, and acknowledge and retry notifications · `admin`: also channels, settings, tokens, and operations that cannot be undone. Each scope includes the previous one',
})

const secret = (what: string) => Type.String({ description: `${what}. Only this response shows it` })

export const UserShape = Type.Object(
  {
    id: Type.Integer(),
    name: nullable(
      Type.String({ description: 'The name to sign in with; null for the first user until they choose one' }),
    ),
    email: nullable(Type.String()),
    role: Type.Enum(roles, { description: '`admin`: also administers the server' }),
    disabled_dt: nullable(time('When the user was disabled')),
    create_dt: time('When the user was created'),
    version: Type.Integer({ description: 'Number of changes by administrators; also the ETag' }),
  },
  { $id: 'User' },
)

export type UserWire = Static<typeof UserShape>

export const InvitationShape = Type.Object(
  {
    code: secret('The code that sets the password of the user, once, with POST /v1/invitations/accept'),
    url: nullable(
      Type.String({ description: 'The page that accepts the invitation; null if the server has no public URL' }),
    ),
    expires_dt: time('When the invitation expires'),
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
    role: Type.Optional(Type.Enum(roles, { description: 'The default is `member`' })),
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
    disabled: Type.Optional(
      Type.Boolean({ description: 'The user cannot sign in. Their data is kept, and their reminders still fire' }),
    ),
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
    kind: Type.Enum(['token', 'session'], { description: '`session`: created by signing in' }),
    name: Type.String({ description: 'The name of the token; of a session, the User-Agent of its browser' }),
    hint: Type.String({ description: 'The first characters of the token' }),
    scopes: Type.Array(ScopeShape),
    is_current: Type.Boolean({ description: 'Whether this request used it' }),
    create_dt: time('When it was created'),
    expires_dt: nullable(time('When it expires; null: only when it is revoked')),
    last_used_dt: nullable(time('When it was last used, to the minute')),
    parent_id: nullable(
      Type.Integer({
        description:
          'The token that created it: revoking that one revokes this one. Null: created in a session or on the server',
      }),
    ),
  },
  { $id: 'Token' },
)

export type TokenWire = Static<typeof TokenShape>

export const TokensShape = Type.Object({ tokens: Type.Array(TokenShape) }, { $id: 'Tokens' })

export type TokensWire = Static<typeof TokensShape>

export const NewTokenShape = Type.Object(
  { ...TokenShape.properties, token: secret('The token to send as `Authorization: Bearer`') },
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
            'Null: never expires. The default is null, or the expiry of the token that creates it. A later expiry than that is refused',
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
    revoked: Type.Integer({
      description: 'Number of revoked tokens, including its children; with `dry_run`, the number that would be revoked',
    }),
  },
  { $id: 'RevokedToken' },
)

export const SessionShape = Type.Object(
  {
    user: Type.Union([UserShape, Type.Null()]),
    scopes: Type.Array(ScopeShape),
    by: nullable(Type.String({ description: 'The credential of this request: `token`, `session` or `socket`' })),
    sign_in: Type.Object(
      {
        required: Type.Boolean({ description: 'Whether the server requires a login' }),
        password: Type.Boolean(),
        provider: nullable(
          Type.String({ description: 'The label of the button for the OpenID provider, which links to /auth/oidc' }),
        ),
      },
      { description: 'The ways to sign in' },
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
  sessions_ended: Type.Integer({ description: 'Number of ended sessions' }),
  tokens_revoked: Type.Integer({ description: 'Number of revoked tokens' }),
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
    token: nullable(secret('After the first-run setup of a server: a first token with all scopes')),
  },
  { $id: 'AcceptedInvitation' },
)

export const PasswordChangeShape = Type.Object(
  {
    current: Type.Optional(password),
    password,
    revoke_tokens: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether to revoke all your tokens as well; your other sessions always end',
      }),
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
    at_dt: time('When the operation was requested'),
    user_id: nullable(Type.Integer({ description: 'The user; null if unknown' })),
    user: nullable(Type.String({ description: 'The name of the user at that time' })),
    by: nullable(Type.String({ description: 'The credential: `token`, `session`, `socket` or `link`' })),
    by_name: nullable(Type.String()),
    operation: Type.String({ description: 'The operationId' }),
    object: Type.String({ description: 'The path of the object' }),
    status: Type.Integer({ description: 'The status of the response; refused operations are listed as well' }),
    address: nullable(Type.String({ description: 'The IP address of the caller' })),
    request_id: Type.String(),
  },
  { $id: 'AuditEntry' },
)

export const AuditShape = Type.Object(
  { entries: Type.Array(AuditEntryShape), next_cursor: nullable(Type.String()) },
  { $id: 'Audit' },
)

export type AuditWire = Static<typeof AuditShape>
