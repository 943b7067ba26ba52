import { createWriteStream } from 'node:fs'
import { devNull } from 'node:os'
import { type App, startApp } from '#app.ts'
import { catalog } from '#channels/catalog.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { systemClock } from '#clock.ts'
import { parseConfig } from '#config/config.ts'
import type { Message } from '#core/notification.ts'
import Type from '#json-schema.ts'

/** The whole app in this process, on a database file of its own, at the real time. */

/**
 * @param database a file for SQLite, or the URL of another database
 * @param kinds replace the catalog; one of the kind `console` replaces the built-in channel
 * @param onLine is called when a line of standard output has been handed over
 * @param flags besides those of the database, the port and the reminders
 */
export async function startEmbedded(
  database: string,
  {
    kinds = catalog,
    onLine,
    flags = [],
  }: { kinds?: readonly ChannelKind[]; onLine?: () => void; flags?: readonly string[] } = {},
): Promise<App> {
  const config = parseConfig({
    argv: [
      '--port=0',
      `--database-url=${database.includes('://') ? database : `sqlite:${database}`}`,
      '--default-reminders=PT15M',
      ...flags,
    ],
    env: {},
    readFile: () => '',
    systemTimeZone: 'UTC',
  })
  // The same as in main.ts, except for the destination.
  const stream = createWriteStream(devNull)
  const output = {
    get writableLength() {
      return stream.writableLength
    },
    write: (text: string, done?: (error?: Error | null) => void) =>
      stream.write(text, (error) => {
        if (done) onLine?.()
        done?.(error)
      }),
  }
  const app = await startApp(config, { clock: systemClock, output, catalog: kinds, onBroken: fail })
  const stop = () => app.stop().finally(() => stream.close())
  return { ...app, stop, [Symbol.asyncDispose]: stop }
}

/** A receiver in this process that replaces the console: messages arrive immediately. */
export function receiverInProcess(receive: (message: Message) => void): ChannelKind {
  return {
    kind: 'console',
    label: 'Receiver',
    about: 'In this process',
    options: Type.Object({}, { additionalProperties: false }),
    concurrency: 1_000,
    async open() {
      return {
        async send(message) {
          receive(message)
          return 'sent'
        },
        async [Symbol.asyncDispose]() {},
      }
    },
  }
}

function fail(error: unknown): never {
  throw error
}
