import { parseTimeZone } from './date-time.ts'
import { parseLead } from './duration.ts'
import { invalidMember } from './problem.ts'
import type { Defaults } from './reminder.ts'
import type { Scope } from './scope.ts'
import { limits } from './task.ts'

/**
 * Who may do what. A person is a user: everything that is his is his alone. What he asks with (a token, a session) reaches as far as
 * its scope; the server itself is for users who administer it.
 */
export interface User {
  readonly id: number
  /** By which he signs in. Null for the first one as long as nobody has said who that is. */
  readonly name: string | null
  readonly email: string | null
  readonly role: Role
  /** Instants in ms since 1970. He cannot come in; what he has is kept, and rings. */
  readonly disabledAt: number | null
  /** What is his is being deleted. */
  readonly removedAt: number | null
  /** What his alarms are computed with. */
  readonly defaults: Defaults
  readonly createdAt: number
  /** Counts what administrators have changed. */
  readonly version: number
}

/** `admin`: of the server as well, with its users, its figures, and its private network. `member`: of what is his alone. */
export const roles = ['admin', 'member'] as const
export type Role = (typeof roles)[number]
/** What somebody can ask with. An `invitation` is good for one thing: to set the password of its user, once. */
export const tokenKinds = ['token', 'session', 'invitation'] as const
export type TokenKind = (typeof tokenKinds)[number]

/** All that is known of a token; of the token itself only its hash is stored. Instants in ms since 1970. */
export interface TokenRecord {
  readonly id: number
  readonly userId: number
  readonly kind: TokenKind
  readonly name: string
  /** The first characters, by which a person tells his tokens apart. */
  readonly hint: string
  readonly scope: Scope
  readonly createdAt: number
  readonly expiresAt: number | null
  /** To the minute. */
  readonly lastUsedAt: number | null
  /** The token that made it: revoked with it. Null where a session made it, or a command on the server. */
  readonly parentId: number | null
}

/** Without what looks alike, needs quoting in a shell or an address, or differs by its capitals alone. */
const nameForm = /^[a-z0-9](?:[a-z0-9._-]{0,48}[a-z0-9])?$/

/** @throws Problem `invalid` */
export function checkUserName(name: string): void {
  if (!nameForm.test(name))
    throw invalidMember('/name', 'must be 1 to 50 of a-z, 0-9, and between them dots, hyphens and underscores')
}

/** As written, in small letters: nobody's provider tells two by their capitals. @throws Problem `invalid` */
export function parseEmail(text: string): string {
  if (!/^[^\s@"<>]{1,64}@[^\s@"<>]{1,189}$/.test(text) || !text.isWellFormed())
    throw invalidMember('/email', 'must be an address like ada@example.org')
  return text.toLowerCase()
}

export const passwordLength = { min: 10, max: 200 } as const

/** Length is what counts, and no kinds of characters (NIST SP 800-63B, section 3.1.1.2). @throws Problem `invalid` */
export function checkPassword(password: string, name: string, member = '/password'): void {
  const length = [...password].length
  if (length < passwordLength.min || length > passwordLength.max)
    throw invalidMember(member, `must have ${passwordLength.min} to ${passwordLength.max} characters`)
  if (!password.isWellFormed() || password.includes('\0'))
    throw invalidMember(member, 'must be well-formed Unicode, without NUL')
  const bare = password.toLowerCase()
  if (new Set(bare).size < 4 || bare.replaceAll(name, '').length < 4)
    throw invalidMember(member, 'is too easy to guess')
}

/** The IANA name. @throws Problem `invalid` */
export function checkTimeZone(text: string): string {
  const zone = parseTimeZone(text)
  if (zone === undefined)
    throw invalidMember('/time_zone', 'is not a time zone of the IANA database, like Europe/Paris')
  return zone
}

/** Leads alone: an instant that is right for one task is not for all. @throws Problem `invalid` */
export function checkDefaultReminders(leads: readonly string[]): readonly string[] {
  if (leads.length > limits.reminders)
    throw invalidMember('/default_reminders', `must have at most ${limits.reminders} items`)
  for (const [i, lead] of leads.entries())
    if (!parseLead(lead))
      throw invalidMember(
        `/default_reminders/${i}`,
        'must be an ISO 8601 duration of at most ten years, like "PT15M" or "P1D"',
      )
  if (new Set(leads).size < leads.length) throw invalidMember('/default_reminders', 'must not name a reminder twice')
  return leads
}
