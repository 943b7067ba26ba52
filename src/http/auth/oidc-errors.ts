import { Unreachable } from '#channels/http-client.ts'
import { Problem } from '#core/problem.ts'

/**
 * What can go wrong between us and a sign-in provider, as one Problem: a sentence for the person who waits, and as its cause, for the log,
 * what happened. The library's errors carry whole answers, with the tokens in them, so nothing of theirs goes on but their own fixed words.
 */
interface LibraryError {
  readonly code?: unknown
  readonly message?: string
  /** Of RFC 6749 sections 4.1.2.1 and 5.2: the provider's word for it. */
  readonly error?: unknown
  readonly status?: unknown
  readonly cause?: unknown
}

const away = 'The sign-in provider cannot be reached just now. Try again in a minute.'
const wrong =
  'Signing in by this provider does not work as it is set up. Whoever runs this server finds the reason in its log.'

/** An answer of which we, and not the library, find that it cannot be. */
export class Distrusted extends Error {
  readonly code = 'OAUTH_INVALID_RESPONSE'
}

/** Of the provider's description of itself, or of what became of the wish to read it. */
export function describeDiscovery(error: unknown, issuer: string, retryAfterMs: number): Problem {
  const { code, cause } = error as LibraryError
  const { body } = (cause ?? {}) as { body?: { issuer?: unknown } }
  // The usual mistake: a slash too much or too little.
  const own = code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' && URL.parse(String(body?.issuer))?.href
  const why = own ? `it calls itself ${own}, and its issuer must be configured so` : tell(error)
  return unavailable(isAway(error) ? away : wrong, `${issuer}: ${why}`, retryAfterMs)
}

/** Of what came back with the person, or of what the provider said when it was asked about it. */
export function describeAnswer(error: unknown, issuer: string): Problem {
  const { code, error: word } = error as LibraryError
  const why = `${issuer}: ${tell(error)}`
  if (code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') {
    if (word === 'access_denied')
      return forbidden('The sign-in was cancelled, or the provider does not let you in here.', why)
    return unavailable(word === 'temporarily_unavailable' || word === 'server_error' ? away : wrong, why)
  }
  if (code === 'OAUTH_RESPONSE_BODY_ERROR' && word === 'invalid_grant')
    return forbidden('This sign-in was finished already, or took too long. Sign in again.', why)
  if (isAway(error)) return unavailable(away, why)
  if (distrusted.has(String(code)))
    return forbidden(
      'What the sign-in provider answered cannot be trusted, so nobody was signed in. Sign in again; if that does not help, tell whoever runs this server.',
      why,
    )
  return unavailable(wrong, why)
}

/** An answer that is not what was asked for, or is not whole, not of this provider, not for us, or not of now. */
const distrusted = new Set(
  ['INVALID_RESPONSE', 'JWT_TIMESTAMP_CHECK_FAILED', 'JWT_CLAIM_COMPARISON_FAILED']
    .concat(['JSON_ATTRIBUTE_COMPARISON_FAILED', 'KEY_SELECTION_FAILED', 'UNSUPPORTED_OPERATION', 'PARSE_ERROR'])
    .map((name) => `OAUTH_${name}`),
)

/** The library wraps what its fetch throws, and hands on an answer of a status that it did not expect. */
const isAway = (error: unknown) => {
  const { cause } = error as LibraryError
  const status = cause instanceof Response ? cause.status : 0
  return error instanceof Unreachable || cause instanceof Unreachable || status >= 500 || status === 429
}

function tell(error: unknown): string {
  const { code, message, error: word, status, cause } = error as LibraryError
  for (const one of [error, cause]) if (one instanceof Unreachable) return one.message
  if (typeof code !== 'string' || !code.startsWith('OAUTH_')) return (error as Error).name
  const { code: innerCode, message: inner } = (cause ?? {}) as LibraryError
  const words = typeof innerCode === 'string' && innerCode.startsWith('OAUTH_') ? inner : message
  const answered = cause instanceof Response ? cause.status : status
  return [
    words,
    ...(typeof answered === 'number' ? [`it answered ${answered}`] : []),
    ...(/^[a-z_]{1,40}$/.test(String(word ?? '')) ? [String(word)] : []),
  ].join(', ')
}

const forbidden = (detail: string, why: string) => new Problem('forbidden', detail, { cause: new Error(why) })

const unavailable = (detail: string, why: string, retryAfterMs?: number) =>
  new Problem('unavailable', detail, { cause: new Error(why), ...(retryAfterMs !== undefined && { retryAfterMs }) })
