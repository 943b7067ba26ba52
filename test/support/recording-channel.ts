import type { ChannelKind } from '#channels/channel.ts'
import type { Outcome } from '#core/delivery.ts'
import { type Message, sentence } from '#core/notification.ts'
import Type from '#json-schema.ts'

/** A channel that records its messages, and responds as the test says. */
export interface Recorder {
  readonly kind: ChannelKind
  /** Everything sent, in order. */
  readonly messages: Message[]
  /** The messages since the last call, as text. */
  take(): string[]
  /** The result of the next attempts; `sent` when it returns undefined. May hang, or throw. */
  answer: (message: Message, signal: AbortSignal) => Outcome | undefined | Promise<Outcome>
}

const options = Type.Object({}, { additionalProperties: false })

export function createRecorder(kind = 'recording'): Recorder {
  let taken = 0
  const recorder: Recorder = {
    messages: [],
    take() {
      const fresh = recorder.messages.slice(taken)
      taken = recorder.messages.length
      return fresh.map(sentence)
    },
    answer: () => undefined,
    kind: {
      kind,
      label: 'Recorder',
      about: 'Keeps what it is given.',
      options,
      concurrency: 100,
      async open() {
        return {
          async send(message, signal) {
            recorder.messages.push(message)
            return (await recorder.answer(message, signal)) ?? 'sent'
          },
          async [Symbol.asyncDispose]() {},
        }
      },
    },
  }
  return recorder
}
