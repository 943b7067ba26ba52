import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { Channel, ChannelDeps } from '#channels/channel.ts'
import { anywhere } from '#channels/egress-policy.ts'
import { systemClock } from '#clock.ts'
import type { Outcome } from '#core/delivery.ts'
import type { Message } from '#core/notification.ts'
import { freePort } from '#kit/listen.ts'
import { temporaryFolder } from '#support/databases.ts'
import { toCloudEvent } from '#wire/cloud-event.ts'

/** The dependencies that the app gives to a channel of an administrator. */
export const channelDeps: ChannelDeps = {
  clock: systemClock,
  print: async () => {},
  toEvent: toCloudEvent,
  egress: anywhere,
}

/** The addresses of brokers for tests, if they run. */
export const brokers = {
  redis: 'redis://127.0.0.1:6379',
  mqtt: 'mqtt://127.0.0.1:1883',
  nats: 'nats://127.0.0.1:4222',
  amqp: 'amqp://guest:guest@127.0.0.1:5672',
} as const

/** For `skip`: false, or the reason. @throws under CI=true, which must have one */
export async function skipReasonOfBroker(name: keyof typeof brokers): Promise<string | false> {
  const { hostname, port, host } = new URL(brokers[name])
  const socket = connect({ host: hostname, port: Number(port) })
  const isThere = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isThere ? false : missing(`no ${name} broker answers at ${host}`)
}

/** For `skip`: false, or the reason. @throws under CI=true, which must have it */
export function skipReasonOfProgram(program: string): string | false {
  const isThere = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
  return isThere ? false : missing(`${program} is not installed`)
}

function missing(reason: string): string {
  if (process.env.CI === 'true') throw new Error(`${reason}, and CI is to have one`)
  return reason
}

/** Sends as reminders/ does: a throw means «retry», and its message is the reason. */
export function send(channel: Channel, message: Message, signal = AbortSignal.timeout(10_000)): Promise<Outcome> {
  return channel.send(message, signal).catch((error: Error) => ({ retry: true, reason: error.message }))
}

/** A broker of this test alone, which it may kill. */
export interface OwnPeer {
  readonly port: number
  kill(): Promise<void>
  start(): Promise<void>
}

/**
 * @param argsOf its arguments, with a folder that survives a kill
 * @param ready matches the line that it prints once it is ready
 */
export async function startOwnPeer(
  t: TestContext,
  program: string,
  argsOf: (port: number, folder: string) => readonly string[],
  ready: RegExp,
): Promise<OwnPeer> {
  const folder = temporaryFolder(t)
  const port = await freePort()
  let child: ChildProcess | undefined
  const peer: OwnPeer = {
    port,
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
    async start() {
      const started = spawn(program, argsOf(port, folder), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
      child = started
      const lines: string[] = []
      await new Promise<void>((resolve, reject) => {
        for (const output of [started.stdout, started.stderr])
          createInterface({ input: output }).on('line', (line) => {
            lines.push(line)
            if (ready.test(line)) resolve()
          })
        started.once('error', reject)
        started.once('exit', () => reject(new Error(`${program} ended:\n${lines.join('\n')}`)))
      })
    },
  }
  t.after(() => peer.kill())
  await peer.start()
  return peer
}
