import type { Outcome } from '#core/delivery.ts'
import { redact } from '#core/redact.ts'
import type { HttpResponse } from './http-client.ts'
import { oneLine, truncate } from './message-text.ts'

/**
 * Error responses of other APIs. Their text is foreign: channels read only the documented members, as one short line, and redact secrets
 * that a response repeats.
 */

/** Enough for a sentence. */
const maxTextLength = 200
/** A shorter part is no secret, but a word that is common in error texts: `hooks`. */
const minSecretLength = 8

/** The members of a JSON object. Any other body has none. */
export function parseJsonObject(response: HttpResponse): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(response.text())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** @param secrets to redact, longer ones first: a shorter one may be part of them */
export function safeErrorText(text: unknown, secrets: readonly string[]): string | undefined {
  if (typeof text !== 'string') return undefined
  // Redact before truncating, which could leave half of a secret, and after joining lines, which could join two halves. A response may
  // also repeat the message, whose links are keys.
  let line = redact(oneLine(text))
  for (const secret of secrets) line = line.replaceAll(secret, '…')
  return truncate(line, maxTextLength) || undefined
}

/**
 * Every part of an address that may be a key: the address itself, and the parts after its host, encoded and decoded.
 * @param others further secrets, of any length
 */
export function secretsOf(url: URL, others: readonly string[] = []): readonly string[] {
  const parts = [...url.pathname.split('/'), ...url.search.split(/[?&=]/)]
  // A host alone is no secret.
  const whole = url.pathname + url.search === '/' ? [] : [url.href, url.pathname + url.search, url.pathname]
  const all = [...whole, ...parts].flatMap((part) => [part, decoded(part)])
  const long = [...all, ...url.searchParams.values()].filter(({ length }) => length >= minSecretLength)
  return [...new Set([...long, ...others])].sort((a, b) => b.length - a.length)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The same outcome without a retry. @param isGone the receiver no longer exists */
export function asPermanent(outcome: Outcome, { isGone = false } = {}): Outcome {
  if (outcome === 'sent') return outcome
  const { reason, status } = outcome
  return { retry: false, reason, ...(status === undefined ? {} : { status }), ...(isGone ? { isGone: true } : {}) }
}

/** The same outcome with the wait that a response's body asks for. @param ms ignored unless it is a number above zero */
export function withRetryAfter(outcome: Outcome, ms: unknown): Outcome {
  if (outcome === 'sent' || !outcome.retry || typeof ms !== 'number' || !(ms > 0)) return outcome
  return { ...outcome, afterMs: Math.ceil(ms) }
}

/** The same outcome as a rate limit, which applies to all messages, as 429 does in HTTP. */
export function asRateLimited(outcome: Outcome): Outcome {
  return outcome === 'sent' || !outcome.retry ? outcome : { ...outcome, isRateLimited: true }
}
