import { type DestinationStream, type Logger, pino } from 'pino'
import { redact } from '#core/redact.ts'

/** The standard output of the process, or a substitute. Writing never blocks, so that a stalled reader does not stop the server. */
export interface Output {
  readonly isTTY?: boolean | undefined
  readonly writableLength: number
  write(text: string, done?: (error?: Error | null) => void): unknown
}

export const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export const logFormats = ['auto', 'pretty', 'json'] as const

export interface LogConfig {
  readonly level: (typeof logLevels)[number]
  /** `auto`: pretty on a terminal, JSON lines otherwise. */
  readonly format: (typeof logFormats)[number]
}

/** Most bytes of log lines that wait for a reader. Further lines are dropped, so that a stalled terminal does not exhaust the memory. */
const maxWaitingBytes = 16 * 1024 * 1024

/**
 * Creates the log, and a function that prints a line whatever the level. `error`: an administrator must act; `warn`: the server recovered
 * by itself; `info`: a lifecycle event; `debug`: everything else.
 */
export async function createLog({ level, format }: LogConfig, output: Output) {
  const isText = format === 'pretty' || (format === 'auto' && output.isTTY === true)
  const prettify = isText ? await openPretty(output.isTTY === true) : undefined
  const destination: DestinationStream = {
    write(line) {
      if (output.writableLength < maxWaitingBytes) output.write(prettify?.(line) ?? line)
    },
  }
  const log: Logger = pino({ level, base: null, serializers: { err: serializeError } }, destination)

  /** @param prefix printed before the message in a text log */
  function print({ message, prefix, fields }: { message: string; prefix: string; fields: object }): Promise<void> {
    const now = Date.now()
    const line = isText
      ? `${textTime(now)}${prefix} ${message}\n`
      : `${JSON.stringify({ level: 30, time: now, msg: message, ...fields })}\n`
    return new Promise((resolve, reject) => output.write(line, (error) => (error ? reject(error) : resolve())))
  }

  return { log, print }
}

async function openPretty(colorize: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({
    colorize,
    ignore: 'pid,hostname,component',
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss',
    customPrettifiers: { time: (time) => String(time) },
  })
}

/**
 * Serializes an error for the log: its type, message, code and stack, with its causes, and no other properties. Libraries attach data to
 * errors: mysql2 the statement with its values, others a whole response, or their connection options.
 */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return redact(String(error))
  const { type, message, stack } = pino.stdSerializers.err(error)
  const { code } = error as { code?: unknown }
  const isShort = typeof code === 'number' || (typeof code === 'string' && code.length <= maxCodeLength)
  return { type, message: redact(message), ...(isShort && { code }), stack: redact(stack) }
}

/** A longer code is a sentence, which may hold data. */
const maxCodeLength = 60

let lastSecond = { at: Number.NaN, text: '' }

/** `2026-12-01 09:45:00` in the system's time zone, formatted once a second. Not by Intl, whose tables cost 8 MB. */
function textTime(at: number): string {
  const second = Math.floor(at / 1_000)
  if (second !== lastSecond.at) {
    const time = new Date(at)
    const two = (part: number) => String(part).padStart(2, '0')
    const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
    const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
    lastSecond = { at: second, text: `${date} ${clock}` }
  }
  return lastSecond.text
}
