import Type from '#json-schema.ts'
import { operation } from './operation.ts'
import {
  AuditShape,
  DeletedUserShape,
  InvitationShape,
  NewUserShape,
  SignedOutEverywhereShape,
  UserDraftShape,
  UserPatchShape,
  UserShape,
  UsersShape,
} from './schemas/account.ts'
import { Cursor, IdParams, Limit, NoQuery, PageQuery } from './schemas/request.ts'

/** Who is on this server, for those who administer it. */
const ofServer = { tag: 'accounts', scope: 'admin', adminOnly: true } as const
const ofOne = { ...ofServer, params: IdParams, query: NoQuery } as const

export const listUsers = operation({
  id: 'listUsers',
  method: 'GET',
  path: '/v1/users',
  summary: 'List users',
  ...ofServer,
  query: PageQuery,
  response: UsersShape,
})

export const createUser = operation({
  id: 'createUser',
  method: 'POST',
  path: '/v1/users',
  summary: 'Create a user',
  description:
    'One more person, with tasks, channels and settings of their own. Without a password they are invited: the answer has a code, shown this once, with which they set their own. An Idempotency-Key has no effect here, since the name is one. A bearer token makes members; to make an administrator takes a session.',
  ...ofServer,
  query: NoQuery,
  body: UserDraftShape,
  response: NewUserShape,
  responseHeaders: ['location', 'etag'],
  problems: ['conflict'],
})

export const getUser = operation({
  id: 'getUser',
  method: 'GET',
  path: '/v1/users/{id}',
  summary: 'Get a user',
  ...ofOne,
  response: UserShape,
  responseHeaders: ['etag'],
})

export const updateUser = operation({
  id: 'updateUser',
  method: 'PATCH',
  path: '/v1/users/{id}',
  summary: 'Change the given members of a user',
  description:
    'Name, address, role, and whether they can sign in; a merge patch (RFC 7396). To disable a user ends all sessions, tokens and invitations of the account, for good. A bearer token cannot make or enable an administrator, nor change an e-mail address: that takes a session.',
  ...ofOne,
  body: UserPatchShape,
  response: UserShape,
  requestHeaders: ['if-match', 'if-none-match'],
  responseHeaders: ['etag'],
  problems: ['conflict'],
})

export const deleteUser = operation({
  id: 'deleteUser',
  method: 'DELETE',
  path: '/v1/users/{id}',
  summary: 'Delete a disabled user for good',
  description: 'With all tasks, channels and settings of the account.',
  ...ofOne,
  response: DeletedUserShape,
  longTimeout: true,
  requestHeaders: ['if-match', 'if-none-match'],
  problems: ['conflict'],
})

export const inviteUser = operation({
  id: 'inviteUser',
  method: 'POST',
  path: '/v1/users/{id}/invitation',
  summary: 'Invite a user to set a password',
  description:
    'For a new user, or in place of a password that is lost. Resets the account at once: its password, all its sessions and tokens, and earlier invitations are good for nothing any more. Takes a session: a bearer token is refused.',
  ...ofOne,
  sessionOnly: true,
  response: InvitationShape,
  problems: ['conflict'],
})

export const signOutUser = operation({
  id: 'signOutUser',
  method: 'POST',
  path: '/v1/users/{id}/sign-out-everywhere',
  summary: 'End all sessions and tokens of a user',
  description:
    'Open invitations end as well; the password stays as it is, and the user can sign in again. For your own account, that includes what this request was sent with.',
  ...ofOne,
  response: SignedOutEverywhereShape,
})

export const exportUser = operation({
  id: 'exportUser',
  method: 'GET',
  path: '/v1/users/{id}/export',
  summary: 'Export all data of a user',
  description:
    'A JSON object a line: tasks, what is in the trash, notifications, channels without their secrets, settings.',
  ...ofOne,
  response: Type.String(),
  media: {
    description: 'Each line has a `type`, and the thing under its name',
    content: { 'application/jsonl': { schema: Type.String() } },
  },
})

export const listAudit = operation({
  id: 'listAudit',
  method: 'GET',
  path: '/v1/audit',
  summary: 'List audited operations, the newest first',
  description:
    'Who did what to which object, from where: sign-ins, and whatever needs the scope admin, done or refused; on a server with login also each change of a task. Kept for 400 days.',
  ...ofServer,
  query: Type.Object(
    {
      limit: Limit,
      cursor: Cursor('aWQ6MTAw'),
      user_id: Type.Optional(Type.Integer({ minimum: 1, description: 'What this user did', examples: [2] })),
      operation: Type.Optional(Type.String({ maxLength: 50, description: 'An operationId', examples: ['signIn'] })),
    },
    { additionalProperties: false },
  ),
  response: AuditShape,
})
