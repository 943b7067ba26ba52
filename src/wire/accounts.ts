import type { EndedAccess, Issued } from '#actions/tokens.ts'
import type { InvitationWire, SignedOutEverywhereWire, TokenWire, UserWire } from '#api/schemas/account.ts'
import type { TokenRecord, User } from '#core/account.ts'
import type { Caller } from '#core/caller.ts'
import { scopesWithin } from '#core/scope.ts'
import type { AuditEntry } from '#store/audit.ts'
import { isoOrNull, isoText } from './time.ts'

/** Users, tokens, sessions and the audit log as JSON. */

export function toUserWire({ id, name, email, role, disabledAt, createdAt, version }: User): UserWire {
  return { id, name, email, role, disabled_dt: isoOrNull(disabledAt), create_dt: isoText(createdAt), version }
}

/** @param publicUrl empty if it is not configured */
export function toInvitationWire(
  { secret, record }: Issued,
  { name }: Pick<User, 'name'>,
  publicUrl: string,
): InvitationWire {
  return {
    code: secret,
    url: publicUrl === '' ? null : invitationUrl(publicUrl, secret, name),
    expires_dt: isoText(record.expiresAt ?? 0),
  }
}

/** The code is behind the #, so that no log and no Referer header has it. The page shows the name. */
const invitationUrl = (base: string, code: string, name: string | null) =>
  `${base.replace(/\/+$/, '')}/invitation#${code}${name === null ? '' : `&${name}`}`

export function toTokenWire(token: TokenRecord, caller: Caller): TokenWire {
  return {
    id: token.id,
    kind: token.kind === 'session' ? 'session' : 'token',
    name: token.name,
    hint: token.hint,
    scopes: scopesWithin(token.scope),
    is_current: caller.by?.id === token.id,
    create_dt: isoText(token.createdAt),
    expires_dt: isoOrNull(token.expiresAt),
    last_used_dt: isoOrNull(token.lastUsedAt),
    parent_id: token.parentId,
  }
}

export const toEndedAccessWire = ({ sessions, tokens }: EndedAccess): SignedOutEverywhereWire => ({
  sessions_ended: sessions,
  tokens_revoked: tokens,
})

export function toAuditWire(entry: AuditEntry & { id: number }) {
  return {
    id: entry.id,
    at_dt: isoText(entry.at),
    user_id: entry.userId,
    user: entry.who,
    by: entry.byKind,
    by_name: entry.byName,
    operation: entry.operation,
    object: entry.object,
    status: entry.status,
    address: entry.address,
    request_id: entry.requestId,
  }
}
