import { type ChildProcess, spawn } from 'node:child_process'
import { homedir } from 'node:os'
// The one thing of a process that is touched here: only by its number can a group be ended, not the first of it alone.
import { kill } from 'node:process'
import type { Outcome } from '#core/delivery.ts'
import Type from '#json-schema.ts'
import type { Channel, ChannelKind } from './channel.ts'
import { Unreachable } from './http-client.ts'
import { cut, oneLine } from './message-text.ts'

/**
 * A program of the administrator's own, started for each notification with a CloudEvent 1.0 as JSON on its standard input. Without a shell,
 * and nothing of a task in its arguments: a title is read where it is data. Exit status 0 is sent, 78 (EX_CONFIG of sysexits.h) is
 * never, and any other is later.
 */
const options = Type.Object(
  {
    argv: Type.Array(Type.String({ maxLength: 4_096, pattern: '^[^\\u0000]*$' }), {
      title: 'Program and arguments',
      description: 'The program, best by its whole path, and its arguments, each for itself; no shell reads them',
      minItems: 1,
      maxItems: 64,
    }),
  },
  { additionalProperties: false },
)

/**
 * That of a login shell. The server's own environment is not passed on: what configures it may hold passwords, and each program that
 * this one starts would read them.
 */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const configurationFault = 78
/** Of standard error, in characters; the rest is read and thrown away. */
const maxKept = 4_096
/** Of standard error, in characters. A program that writes more is ended, and the attempt has failed. */
const maxWritten = 1024 * 1024
const maxLineLength = 200
/** What a program has written is there when it ends, but for what still lies in the pipe. A child that it left behind may hold it open. */
const lastWordsMs = 100

export const commandKind: ChannelKind<typeof options> = {
  kind: 'command',
  label: 'Command',
  about:
    'A program on this machine, which reads a CloudEvent from its standard input. Only the configuration file may name it.',
  options,
  isConfigOnly: true,
  concurrency: 4,
  async open({ argv }, { toEvent }): Promise<Channel> {
    const [program, ...rest] = argv as [string, ...string[]]
    const closing = new AbortController()
    return {
      async send(message, signal) {
        const environment = { PATH: path, HOME: homedir(), LANG: 'C.UTF-8', DUEBELL_DELIVERY_ID: message.deliveryId }
        const child = spawn(program, rest, {
          env: environment,
          shell: false,
          // A group of its own, so that what it starts ends with it.
          detached: true,
          stdio: ['pipe', 'ignore', 'pipe'],
        })
        return outcomeOf(child, JSON.stringify(toEvent(message)), AbortSignal.any([signal, closing.signal]))
      },
      async [Symbol.asyncDispose]() {
        closing.abort()
      },
    }
  },
}

function outcomeOf(child: ChildProcess, input: string, signal: AbortSignal): Promise<Outcome> {
  const { stdin, stderr } = child
  let said = ''
  let written = 0
  const endless = new AbortController()
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < maxKept) said += text
    written += text.length
    if (written > maxWritten) endless.abort('endless')
  })
  // One that reads nothing and ends well has done what it was to do.
  stdin?.on('error', () => {})
  stdin?.end(input)
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', abort)
      endless.signal.removeEventListener('abort', abort)
      clearTimeout(lastWords)
      stdin?.destroy()
      stderr?.destroy()
      settle()
    }
    const abort = () => {
      killGroup(child)
      const reason = endless.signal.aborted ? 'the program wrote more than 1 MiB to standard error' : 'timed out'
      end(() => reject(new Unreachable(reason)))
    }
    let lastWords: NodeJS.Timeout | undefined
    child.once('error', (error: NodeJS.ErrnoException) =>
      end(() => reject(new Unreachable(`the program cannot be started: ${error.code}`))),
    )
    child.once('exit', (code, killer) => {
      const finish = () => end(() => resolve(toOutcome(code, killer, said)))
      lastWords = setTimeout(finish, lastWordsMs)
      child.once('close', finish)
    })
    signal.addEventListener('abort', abort, { once: true })
    endless.signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
  })
}

/** Not politely first: it has had its time. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  // Once it has ended its number may be another's.
  if (pid === undefined || exitCode !== null || signalCode !== null) return
  try {
    kill(-pid, 'SIGKILL')
  } catch {
    // It was faster.
  }
}

/** What it says on standard error is the administrator's own program speaking to the administrator: its first line is repeated. */
function toOutcome(code: number | null, killer: string | null, said: string): Outcome {
  if (code === 0) return 'sent'
  const line = cut(oneLine(said.trimStart().split(/[\r\n]/, 1)[0] ?? ''), maxLineLength)
  const end = killer ? `ended by ${killer}` : `exit status ${code}`
  return { retry: code !== configurationFault, reason: line ? `${end}: ${line}` : end }
}
