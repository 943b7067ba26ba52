import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Links, Notification } from '#core/notification.ts'
import { Problem } from '#core/problem.ts'

/**
 * Links in messages, by which a person acts without signing in: who has one may do this one thing to this one task, for as long as the
 * link lasts, and nothing else. Signed with a key that all replicas share; nothing of them is stored.
 *
 *   <act>.<user>.<notification>.<task>.<ends, in s since 1970>.<first 16 bytes of HMAC-SHA256, base64url>
 */
export const acts = ['complete', 'snooze', 'acknowledge'] as const
export type LinkAction = (typeof acts)[number]

export interface Link {
  readonly act: LinkAction
  readonly userId: number
  readonly notificationId: number
  readonly taskId: number
}

export interface LinkMaker {
  /** Null where nobody has said how the server is reached. */
  linksFor(notification: Pick<Notification, 'id' | 'userId' | 'taskId' | 'dueAt'>): Links | null
  /** @throws Problem `not-found` (none of ours), `gone` (it has ended) */
  parse(token: string, now: number): Link
}

/** Long enough for a mail that is read after a holiday. */
const lastsMs = 30 * 86_400_000
/** A forgery is one in 2^128, and a link stays short enough for every medium. */
const signatureBytes = 16

/** @param publicUrl where people reach the server; empty when nobody has said */
export function createLinks(key: string, publicUrl: string): LinkMaker {
  const sign = (text: string) => createHmac('sha256', key).update(text).digest().subarray(0, signatureBytes)
  const base = publicUrl.replace(/\/+$/, '')

  function link(act: LinkAction, { id, userId, taskId, dueAt }: Parameters<LinkMaker['linksFor']>[0]): string {
    const text = [act, userId, id, taskId, Math.ceil((dueAt + lastsMs) / 1_000)].join('.')
    return `${base}/a/${text}.${sign(text).toString('base64url')}`
  }

  return {
    linksFor(notification) {
      if (base === '') return null
      const [complete, snooze, acknowledge] = acts.map((act) => link(act, notification)) as [string, string, string]
      return { complete, snooze, acknowledge }
    },
    parse(token, now) {
      const [, text = '', signature = ''] = /^(.+)\.([\w-]{22})$/.exec(token) ?? []
      if (!timingSafeEqual(sign(text), Buffer.from(signature.padEnd(22, 'A'), 'base64url')))
        throw new Problem('not-found', 'This link is not complete, or not of this server.')
      const [act, userId, notificationId, taskId, ends] = text.split('.')
      if (Number(ends) * 1_000 < now)
        throw new Problem('gone', 'This link has ended. Open Duebell itself to act on the task.')
      return {
        act: act as LinkAction,
        userId: Number(userId),
        notificationId: Number(notificationId),
        taskId: Number(taskId),
      }
    },
  }
}
