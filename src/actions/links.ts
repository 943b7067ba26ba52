import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Links, Notification } from '#core/notification.ts'
import { Problem } from '#core/problem.ts'

/**
 * Action links in messages let a user act without signing in. A link allows one action on one task until it expires. It is signed with a
 * key that all replicas share, and is not stored.
 *
 *   <action>.<user>.<notification>.<task>.<expiry, in s since 1970>.<first 16 bytes of HMAC-SHA256, base64url>
 */
export const linkActions = ['complete', 'snooze', 'acknowledge'] as const
export type LinkAction = (typeof linkActions)[number]

export interface ActionLink {
  readonly action: LinkAction
  readonly userId: number
  readonly notificationId: number
  readonly taskId: number
}

export interface ActionLinks {
  /** Null when no public URL is configured. */
  linksFor(notification: Pick<Notification, 'id' | 'userId' | 'taskId' | 'dueAt'>): Links | null
  /** @throws Problem `not-found` (invalid, or signed by another server), `gone` (expired) */
  parse(token: string, now: number): ActionLink
}

/** A link in an e-mail still works after a holiday. */
const lifetimeMs = 30 * 86_400_000
/** 128 bits cannot be guessed, and keep a link short enough for every medium. */
const signatureBytes = 16

/** @param publicUrl where users reach the server; empty when not configured */
export function createActionLinks(key: string, publicUrl: string): ActionLinks {
  const sign = (text: string) => createHmac('sha256', key).update(text).digest().subarray(0, signatureBytes)
  const base = publicUrl.replace(/\/+$/, '')

  function link(action: LinkAction, { id, userId, taskId, dueAt }: Parameters<ActionLinks['linksFor']>[0]): string {
    const text = [action, userId, id, taskId, Math.ceil((dueAt + lifetimeMs) / 1_000)].join('.')
    return `${base}/a/${text}.${sign(text).toString('base64url')}`
  }

  return {
    linksFor(notification) {
      if (base === '') return null
      const [complete, snooze, acknowledge] = linkActions.map((action) => link(action, notification)) as [
        string,
        string,
        string,
      ]
      return { complete, snooze, acknowledge }
    },
    parse(token, now) {
      const [, text = '', signature = ''] = /^(.+)\.([\w-]{22})$/.exec(token) ?? []
      if (!timingSafeEqual(sign(text), Buffer.from(signature.padEnd(22, 'A'), 'base64url')))
        throw new Problem('not-found', 'This link is incomplete, or belongs to another server.')
      const [action, userId, notificationId, taskId, expiry] = text.split('.')
      if (Number(expiry) * 1_000 < now)
        throw new Problem('gone', 'This link has expired. Open Duebell itself to act on the task.')
      return {
        action: action as LinkAction,
        userId: Number(userId),
        notificationId: Number(notificationId),
        taskId: Number(taskId),
      }
    },
  }
}
