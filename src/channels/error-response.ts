import type { Outcome } from '#core/delivery.ts'
import { redact } from '#core/redact.ts'
import type { Answer } from './http-client.ts'
import { cut, oneLine } from './message-text.ts'

/**
 * What an API says of itself when it refuses. It is text of somebody else: only the members that its documentation names are
 * read, as one short line, and never with what is secret, should it repeat what it was sent.
 */

/** Of an error's words: enough for a sentence. */
const maxWordsLength = 200
/** What is shorter is no secret, but a word that stands in many a reason: `hooks`. */
const shortestSecret = 8

/** The members of a JSON object; none where the answer is anything else. */
export function jsonOf(answer: Answer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(answer.text())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** @param secrets what must not be repeated; the longer before what is part of it */
export function cleaned(words: unknown, secrets: readonly string[]): string | undefined {
  if (typeof words !== 'string') return undefined
  // Before it is cut, which could leave half of a secret; after it is one line, which could join two halves. The message may be repeated,
  // too, and its links are keys.
  let line = redact(oneLine(words))
  for (const secret of secrets) line = line.replaceAll(secret, '…')
  return cut(line, maxWordsLength) || undefined
}

/**
 * All of an address that may be its key: itself, and what it is made of behind its host, as it is sent and as its receiver reads it.
 * @param others that are secret whatever they are, and not to be repeated either
 */
export function secretsOf(url: URL, others: readonly string[] = []): readonly string[] {
  const parts = [...url.pathname.split('/'), ...url.search.split(/[?&=]/)]
  // The host alone is none.
  const whole = url.pathname + url.search === '/' ? [] : [url.href, url.pathname + url.search, url.pathname]
  const all = [...whole, ...parts].flatMap((part) => [part, decoded(part)])
  const long = [...all, ...url.searchParams.values()].filter(({ length }) => length >= shortestSecret)
  return [...new Set([...long, ...others])].sort((a, b) => b.length - a.length)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The same outcome, but no other attempt. @param isGone nobody will ever be there again */
export function forGood(outcome: Outcome, { isGone = false } = {}): Outcome {
  if (outcome === 'sent') return outcome
  const { reason, status } = outcome
  return { retry: false, reason, ...(status === undefined ? {} : { status }), ...(isGone ? { isGone: true } : {}) }
}

/** The same outcome, with the wait that the body of an answer asks for. @param ms anything but a number above zero changes nothing */
export function notBefore(outcome: Outcome, ms: unknown): Outcome {
  if (outcome === 'sent' || !outcome.retry || typeof ms !== 'number' || !(ms > 0)) return outcome
  return { ...outcome, afterMs: Math.ceil(ms) }
}

/** The same outcome, which says of all messages what HTTP says by 429: no more for now. */
export function rateLimited(outcome: Outcome): Outcome {
  return outcome === 'sent' || !outcome.retry ? outcome : { ...outcome, isRateLimited: true }
}
