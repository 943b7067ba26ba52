import type { Clock } from '#clock.ts'
import type { Outcome } from '#core/delivery.ts'
import type { Message } from '#core/notification.ts'
import type { Static, TSchema } from '#json-schema.ts'
import type { EgressPolicy } from './egress-policy.ts'

/** One way to tell somebody. One file a kind; `catalog.ts` lists them. */
export interface ChannelKind<O extends TSchema = TSchema> {
  readonly kind: string
  /** What people call it: `Microsoft Teams`. */
  readonly label: string
  /** A sentence: what it reaches, and what one needs for it. */
  readonly about: string
  /**
   * Becomes validation, documentation and the form by which a person makes one: each member has a `title`, its label, and a
   * `description`. One with `writeOnly: true` is a secret and is never shown; an address that holds a token is one, too.
   * In a kind with secrets every other member says by `affectsSecrets` whether it decides where the secrets are sent, or how they are
   * protected on the way. Changing such a member requires the secrets again (`options.ts`).
   */
  readonly options: O
  /** Only the configuration file may make one: it acts with the rights of this process. */
  readonly isConfigOnly?: boolean
  /** A secret that the server itself makes, and shows once. */
  readonly ownSecret?: OwnSecret
  /** How many notifications may be underway at once. */
  readonly concurrency: number
  /**
   * Connects to nothing yet: a receiver that is away must not keep the server from starting.
   * @throws Problem `invalid` for options that no schema can refuse
   */
  open(options: Static<O>, deps: ChannelDeps): Promise<Channel>
}

export interface OwnSecret {
  /** The member of the options that holds it. Where a person gives none it is made. */
  readonly member: string
  make(): string
  /** The options with a new one, by which the old one is good for a while yet. @param now ms since 1970 */
  rotate(options: Readonly<Record<string, unknown>>, now: number): Record<string, unknown>
}

/**
 * Says a thing once. Never retries, sleeps, logs failures or counts: the scheduler does that for all. A throw means «retry», and its
 * message is the reason. Must give up when the signal aborts. What people read is written in `message-text.ts`, what programs read by `toEvent`.
 */
export interface Channel extends AsyncDisposable {
  send(message: Message, signal: AbortSignal): Promise<Outcome>
}

export interface ChannelDeps {
  readonly clock: Clock
  /** Writes a line where the log goes, in its format; resolves when it is written. */
  readonly print: (line: { message: string; prefix: string; fields: object }) => Promise<void>
  /** The message in the words of the API: a CloudEvent 1.0. */
  readonly toEvent: (message: Message) => object
  /** Where it may go: what opens a connection (`http-client.ts`, `socket.ts`) asks for it. */
  readonly reach: EgressPolicy
}

/** What is the same for all channels of a server. */
export type SharedDeps = Omit<ChannelDeps, 'reach'>
