import type { TestContext } from 'node:test'
import { systemClock } from '#clock.ts'
import { openStore, type Store } from '#store/engine/open.ts'
import { skipReason } from '#support/databases.ts'

export const databases = ['postgres', 'mysql'] as const

export type Server = (typeof databases)[number]

export const skip = { postgres: await skipReason('postgres'), mysql: await skipReason('mysql') }

export async function open(t: TestContext, url: string, lines: string[] = [], timeZone = 'UTC'): Promise<Store> {
  const log = {
    info: (text: string) => lines.push(text),
    warn: (text: string) => lines.push(`warn: ${text}`),
    error() {},
  }
  const store = await openStore(url, { clock: systemClock, log, timeZone, onBroken() {} })
  t.after(() => store[Symbol.asyncDispose]())
  return store
}
