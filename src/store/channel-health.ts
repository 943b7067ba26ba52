import type { Selectable } from 'kysely'
import type { ChannelHealth, ChannelRecord } from '#core/channel.ts'
import { dialectOf } from './dialects/dialect.ts'
import type { ChannelTable, Db } from './schema.ts'

/** Locks a channel until the transaction ends, unless another transaction has locked it. Waits for nothing. @returns whether it did */
export async function tryLockChannel(tx: Db, id: number): Promise<boolean> {
  if (!dialectOf(tx).isShared) return true
  const row = await tx
    .selectFrom('channels')
    .select('id')
    .where('id', '=', id)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  return row !== undefined
}

export async function saveHealth(
  tx: Db,
  id: number,
  health: Partial<Omit<ChannelHealth, 'heldUntilAt'>>,
): Promise<void> {
  const { failingAt, givenUpAt, lastSentAt, lastError } = health
  await tx
    .updateTable('channels')
    .set({
      ...(failingAt !== undefined && { failing_at: failingAt }),
      ...(givenUpAt !== undefined && { given_up_at: givenUpAt }),
      ...(lastSentAt !== undefined && { last_sent_at: lastSentAt }),
      ...(lastError !== undefined && { last_error: lastError }),
    })
    .where('id', '=', id)
    .execute()
}

/** Undefined when the channel was deleted. */
export async function readHealth(db: Db, id: number): Promise<ChannelHealth | undefined> {
  const row = await db.selectFrom('channels').select(healthColumns).where('id', '=', id).executeTakeFirst()
  return row && toHealth(row)
}

/** Saves the pause that the receiver asked for, unless the user has changed the channel meanwhile: it may lead to another receiver. */
export async function saveHold(tx: Db, { id, version }: Pick<ChannelRecord, 'id' | 'version'>, untilAt: number) {
  await tx
    .updateTable('channels')
    .set({ held_until_at: untilAt })
    .where('id', '=', id)
    .where('version', '=', version)
    .execute()
}

const healthColumns = ['failing_at', 'given_up_at', 'last_sent_at', 'last_error', 'held_until_at'] as const

export function toHealth(row: Pick<Selectable<ChannelTable>, (typeof healthColumns)[number]>): ChannelHealth {
  return {
    failingAt: row.failing_at,
    givenUpAt: row.given_up_at,
    lastSentAt: row.last_sent_at,
    lastError: row.last_error,
    heldUntilAt: row.held_until_at,
  }
}
