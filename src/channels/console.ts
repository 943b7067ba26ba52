import { formatSpan, sentence } from '#core/notification.ts'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'

/**
 * A line on standard output, with the text of the original service. Every user has this channel. The line is no log entry: a higher log
 * level must not silence notifications.
 */
const options = Type.Object({}, { additionalProperties: false })

export const consoleKind: ChannelKind<typeof options> = {
  kind: 'console',
  label: 'Console',
  about: "A line on the server's own output. Every user has it, without options.",
  options,
  concurrency: 1_000,
  async open(_, { print }) {
    return {
      async send(message) {
        const { notification, task, kind, deliveryId } = message
        const late =
          notification.timing === 'late'
            ? formatSpan(message.sentAt - notification.firedAt + notification.latenessMs)
            : undefined
        await print({
          message: sentence(message),
          prefix: late ? ` (late by ${late})` : '',
          fields: {
            component: 'console',
            task_id: task.id,
            notification_id: notification.id,
            kind,
            delivery_id: deliveryId,
            late,
          },
        })
        return 'sent'
      },
      async [Symbol.asyncDispose]() {},
    }
  },
}
