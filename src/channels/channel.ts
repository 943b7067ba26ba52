import type { Static, TSchema } from 'typebox'
import type { Clock } from '#clock.ts'
import type { Outcome } from '#core/delivery.ts'
import type { Message } from '#core/notice.ts'

/** One way to tell somebody. One file a kind; `catalog.ts` lists them. */
export interface ChannelKind<O extends TSchema = TSchema> {
  readonly kind: string
  /** Becomes validation and documentation. A member with `writeOnly: true` is a secret and is never shown. */
  readonly options: O
  /** How many notices may be underway at once. */
  readonly concurrency: number
  /** @throws Problem `invalid` for options that no schema can refuse */
  open(options: Static<O>, deps: ChannelDeps): Promise<Channel>
}

/**
 * Says a thing once. Never retries, sleeps, logs failures or counts: the scheduler does that for all. A throw means «retry».
 * Must give up when the signal aborts.
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
}
