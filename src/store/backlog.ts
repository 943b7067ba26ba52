import type { Clock } from '#clock.ts'
import { readOverdueMs } from './alarms.ts'
import { readClockSkew } from './engine/clock-skew.ts'
import { prepare } from './engine/prepare.ts'
import type { Db } from './schema.ts'

/** The work that is left, and what has failed, for monitoring. */
export interface Backlog {
  /** For how long the oldest reminder has been due, in ms; 0 when none is. */
  readonly overdueMs: number
  /** How far the database's clock is ahead of ours, in ms; null when it uses ours. */
  readonly skewMs: number | null
  /** By channel. */
  readonly pending: ReadonlyMap<number, number>
  readonly failed: ReadonlyMap<number, number>
}

/** Counting costs 25 ns each on SQLite, which blocks the process meanwhile: at most 2.5 ms a channel. */
export const maxPending = 100_000
/**
 * Failed deliveries are counted among this many of the newest: 0.5 ms. An index of failed ones is free where indexes can be partial,
 * and on MySQL and MariaDB an entry for each delivery. Older failures are in /v1/notifications?status=failed.
 */
export const newestDeliveries = 10_000

const countPending = prepare((db, args: { channelId: number; limit: number }) =>
  db
    .selectFrom((eb) =>
      eb
        .selectFrom('deliveries')
        .select('channel_id')
        .where('channel_id', '=', args.channelId)
        .where('next_at', 'is not', null)
        .limit(args.limit)
        .as('waiting'),
    )
    .select((eb) => eb.fn.countAll().as('count')),
)

const countFailed = prepare((db, args: { limit: number }) =>
  db
    .selectFrom((eb) =>
      eb
        .selectFrom('deliveries')
        .select(['channel_id', 'state'])
        .orderBy('notification_id', 'desc')
        .orderBy('channel_id', 'desc')
        .limit(args.limit)
        .as('newest'),
    )
    .select((eb) => ['channel_id', eb.fn.countAll().as('count')])
    .where('state', '=', 'failed')
    .groupBy('channel_id'),
)

export async function readBacklog(db: Db, clock: Pick<Clock, 'now'>, channelIds: readonly number[]): Promise<Backlog> {
  const overdueMs = await readOverdueMs(db, clock.now())
  const pending = new Map<number, number>()
  for (const channelId of channelIds) {
    const { rows } = await countPending(db, { channelId, limit: maxPending })
    pending.set(channelId, Number(rows[0]?.count))
  }
  const { rows } = await countFailed(db, { limit: newestDeliveries })
  const failed = new Map(rows.map(({ channel_id, count }) => [channel_id, Number(count)]))
  return { overdueMs, skewMs: await readClockSkew(db, clock), pending, failed }
}
