import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Message } from '#core/notification.ts'
import { answers, type Request, startHttpReceiver } from '#kit/http-receiver.ts'
import { openSubject, stringsIn, subjects } from '#test/channels/http-subjects.ts'
import { messageAbout } from '#test/channels/messages.ts'

/** The requests to each API, which stay within its documented limits. */

export const links = {
  complete: 'https://tasks.example.org/act/c.1',
  snooze: 'https://tasks.example.org/act/s.1',
  acknowledge: 'https://tasks.example.org/act/a.1?x=(1)&y=2',
}

export const at = 'Tue, 1 Dec 2026, 10:00 (Europe/Paris)'

export const single = messageAbout({ description: 'Two photos', tags: ['travel'], priority: 'high' }, { links })

/** The worst cases: escaped characters, quotes that JSON doubles, characters of four bytes. */
export const fillings = ['<&>"\'', '*_`~|', '🎉𝒳', '"\\', '日本']

export const long = fillings.map((filling) => {
  const title = filling.repeat(500 / filling.length)
  return messageAbout({ title, description: filling.repeat(65_536 / Buffer.byteLength(filling)) }, { links })
})

export const groups = [...long, single].map((message): Message => {
  return { ...message, others: Array.from({ length: 49 }, () => message) }
})

/** @returns functions that send a message and return the request to the API */
export async function open(t: TestContext, kind: string) {
  const subject = subjects.find((one) => one.kind === kind)
  assert.ok(subject)
  const receiver = await startHttpReceiver(t, answers(200))
  const send = await openSubject(t, subject, receiver.url)
  const request = async (message: Message) => {
    assert.equal(await send(message), 'sent')
    return receiver.requests.at(-1) as Request
  }
  const body = async (message: Message) => JSON.parse((await request(message)).body)
  /** Checks requests for messages that are too long for any medium. Every task of a group must be named or counted. */
  const within = async (check: (body: never, request: Request) => void) => {
    for (const message of [...long, ...groups]) {
      const one = await request(message)
      check(JSON.parse(one.body) as never, one)
      if (message.others.length > 0) assertComplete(subject.read(JSON.parse(one.body)))
      for (const text of stringsIn(JSON.parse(one.body))) assert.ok(text.isWellFormed(), 'half a surrogate pair')
    }
  }
  return { request, body, within }
}

/** The text names or counts all 50 tasks. */
export function assertComplete(text: string) {
  const named = text.split(/ expires in 15 min: /).length - 1
  const omitted = Number(/… and (\d+) more/.exec(text)?.[1] ?? 0)
  assert.ok(named >= 1)
  assert.equal(named + omitted, 50)
}
