import type { AuditWire } from '#api/schemas/account.ts'
import type { DuebellClient } from '#client/client.ts'

export type Entry = AuditWire['entries'][number]

export const short = ({ operation, object, status }: Entry) => `${operation} ${object} ${status}`

export const withName = (entry: Entry) => `${entry.user ?? 'unknown'}: ${short(entry)}`

/** Reads the entries that were added since the last call, the oldest first. */
export async function follow(client: DuebellClient): Promise<() => Promise<Entry[]>> {
  let last = 0
  async function next() {
    const { entries } = await client.listAudit({ limit: 1_000 })
    const fresh = entries.filter(({ id }) => id > last).reverse()
    last = entries[0]?.id ?? 0
    return fresh
  }
  await next()
  return next
}
