import { parseTimeZone } from './date-time.ts'
import { leadHint, parseLead } from './duration.ts'
import { invalidMember } from './problem.ts'
import type { Defaults } from './reminder.ts'
import type { Scope } from './scope.ts'
import { limits } from './task.ts'

/**
 * A user owns tasks, channels and settings, and sees only their own. A credential (a token, a session) is limited by its scope. Only
 * administrators manage the server itself.
 */
export interface User {
  readonly id: number
  /** The sign-in name. Null for the first user until one is set. */
  readonly name: string | null
  readonly email: string | null
  readonly role: Role
  /** Instants in ms since 1970. A disabled user cannot sign in. Their data stays, and their reminders fire. */
  readonly disabledAt: number | null
  /** Set while the data of the user is being deleted. */
  readonly removedAt: number | null
  /** The defaults with which the user's alarms are computed. */
  readonly defaults: Defaults
  /** When these changed, in ms since 1970, while not all alarms follow from them; null once all do. */
  readonly staleSince: number | null
  readonly createdAt: number
  /** Counts the changes by administrators. */
  readonly version: number
}

/**
 * `admin`: manages the server too, with its users, its metrics and channels into its private network. `member`: manages their own data
 * only.
 */
export const roles = ['admin', 'member'] as const
export type Role = (typeof roles)[number]
/** Credentials. An `invitation` does one thing: it sets the password of its user, once. */
export const tokenKinds = ['token', 'session', 'invitation'] as const
export type TokenKind = (typeof tokenKinds)[number]

/** A token as it is stored: the token itself only as a hash. Instants in ms since 1970. */
export interface TokenRecord {
  readonly id: number
  readonly userId: number
  readonly kind: TokenKind
  readonly name: string
  /** The first characters, so that users can tell their tokens apart. */
  readonly hint: string
  readonly scope: Scope
  readonly createdAt: number
  readonly expiresAt: number | null
  /** To the minute. */
  readonly lastUsedAt: number | null
  /** The token that created it: revoking that one revokes this one. Null when a session or a command on the server created it. */
  readonly parentId: number | null
}

/** No characters that look alike or need quoting in a shell or an address, and no names that differ by capitals only. */
const nameForm = /^[a-z0-9](?:[a-z0-9._-]{0,48}[a-z0-9])?$/

/** @throws Problem `invalid` */
export function checkUserName(name: string): void {
  if (!nameForm.test(name))
    throw invalidMember('/name', 'must be 1 to 50 of a-z, 0-9, and between them dots, hyphens and underscores')
}

/** In lower case: no identity provider tells two addresses apart by their capitals. @throws Problem `invalid` */
export function parseEmail(text: string): string {
  if (!/^[^\s@"<>]{1,64}@[^\s@"<>]{1,189}$/.test(text) || !text.isWellFormed())
    throw invalidMember('/email', 'must be an address like ada@example.org')
  return text.toLowerCase()
}

export const passwordLength = { min: 10, max: 200 } as const

/** Length counts, not the kinds of characters (NIST SP 800-63B, section 3.1.1.2). @throws Problem `invalid` */
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

/** Only leads: an instant fits one task and not all. @throws Problem `invalid` */
export function checkDefaultReminders(
  leads: readonly string[],
  pointer: '/default_reminders' | '/default_day_reminders',
): readonly string[] {
  if (leads.length > limits.reminders) throw invalidMember(pointer, `must have at most ${limits.reminders} items`)
  for (const [i, lead] of leads.entries()) if (!parseLead(lead)) throw invalidMember(`${pointer}/${i}`, leadHint)
  if (new Set(leads).size < leads.length) throw invalidMember(pointer, 'must not name a reminder twice')
  return leads
}
