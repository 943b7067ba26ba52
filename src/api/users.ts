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

/** The users of this server, for its administrators. */
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
    'The user has their own tasks, channels and settings. Without a password the user is invited: only this response shows the code with which they set one. An Idempotency-Key has no effect, since the name is already unique. A bearer token can create members; only a session can create an administrator.',
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
    'A merge patch (RFC 7396) of name, e-mail address, role, and whether the user can sign in. Disabling a user ends all their sessions, tokens and invitations permanently. Only a session can make or enable an administrator, or change an e-mail address; a bearer token cannot.',
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
  description: 'Deletes all tasks, channels and settings of the user as well.',
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
    'For a new user, or after a password was lost. Resets the account at once: its password, sessions, tokens and earlier invitations no longer work. Needs a session; a bearer token is refused.',
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
    'Ends open invitations as well. The password does not change, so the user can sign in again. For your own account this includes the credential of this request.',
  ...ofOne,
  response: SignedOutEverywhereShape,
})

export const exportUser = operation({
  id: 'exportUser',
  method: 'GET',
  path: '/v1/users/{id}/export',
  summary: 'Export all data of a user',
  description:
    'Returns one JSON object a line: tasks, deleted tasks in the trash, notifications, channels without their secrets, and settings.',
  ...ofOne,
  response: Type.String(),
  media: {
    description: 'Each line has a `type`, and a member of that name with the object',
    content: { 'application/jsonl': { schema: Type.String() } },
  },
})

export const listAudit = operation({
  id: 'listAudit',
  method: 'GET',
  path: '/v1/audit',
  summary: 'List audited operations, the newest first',
  description:
    'Each entry says who did what to which object, and from which address. Audited are sign-ins and all operations that need the scope `admin`, successful or refused; on a server with login also each change of a task. Entries are kept for 400 days.',
  ...ofServer,
  query: Type.Object(
    {
      limit: Limit,
      cursor: Cursor('aWQ6MTAw'),
      user_id: Type.Optional(Type.Integer({ minimum: 1, description: 'Only operations of this user', examples: [2] })),
      operation: Type.Optional(
        Type.String({ maxLength: 50, description: 'Only operations with this operationId', examples: ['signIn'] }),
      ),
    },
    { additionalProperties: false },
  ),
  response: AuditShape,
})
