import type { Clock } from '#clock.ts'
import type { Outcome } from '#core/delivery.ts'
import type { Message } from '#core/notification.ts'
import type { Static, TSchema } from '#json-schema.ts'
import type { EgressPolicy } from './egress-policy.ts'

/** One way to deliver notifications. Each kind is one file; `catalog.ts` lists them. */
export interface ChannelKind<O extends TSchema = TSchema> {
  readonly kind: string
  /** The product's name: `Microsoft Teams`. */
  readonly label: string
  /** A sentence: where it delivers, and what it requires. */
  readonly about: string
  /**
   * The source of validation, documentation and the form that creates a channel. Each member has a `title`, its label, and a
   * `description`. A member with `writeOnly: true` is a secret and is never shown; so is an address that holds a token. In a kind with
   * secrets, every other member declares `affectsSecrets`: whether it decides where the secrets are sent, or how they are protected on
   * the way. Changing such a member requires the secrets again (`options.ts`).
   */
  readonly options: O
  /** Only the configuration file may create one, since it acts with the rights of this process. */
  readonly isConfigOnly?: boolean
  /** A secret that the server generates, and shows once. */
  readonly ownSecret?: OwnSecret
  /** The maximum number of deliveries in flight. */
  readonly concurrency: number
  /**
   * Opens no connection: an unavailable receiver must not keep the server from starting.
   * @throws Problem `invalid` for faults that a schema cannot express
   */
  open(options: Static<O>, deps: ChannelDeps): Promise<Channel>
}

export interface OwnSecret {
  /** The option that holds it. The server generates a secret when a request has none. */
  readonly member: string
  make(): string
  /** The options with a new secret. The old one stays valid for a while. @param now ms since 1970 */
  rotate(options: Readonly<Record<string, unknown>>, now: number): Record<string, unknown>
}

/**
 * Makes one attempt. A channel never retries, sleeps, logs failures or counts: `reminders/` does that for all kinds. A throw means
 * «retry», and its message is the reason. The attempt ends when the signal aborts. `message-text.ts` writes for people, `toEvent` for
 * programs.
 */
export interface Channel extends AsyncDisposable {
  send(message: Message, signal: AbortSignal): Promise<Outcome>
}

export interface ChannelDeps {
  readonly clock: Clock
  /** Writes a line to the log's destination, in its format. Resolves once it is written. */
  readonly print: (line: { message: string; prefix: string; fields: object }) => Promise<void>
  /** The message in the API's format: a CloudEvent 1.0. */
  readonly toEvent: (message: Message) => object
  /** The addresses that it may connect to: `http-client.ts` and `socket.ts` require it. */
  readonly egress: EgressPolicy
}

/** The dependencies that all channels of a server share. */
export type SharedDeps = Omit<ChannelDeps, 'egress'>
