import { Unreachable } from '#channels/http-client.ts'
import { Problem } from '#core/problem.ts'

/**
 * Turns every error in talking to a sign-in provider into a Problem: a sentence for the user, and the details for the log as its cause.
 * The library's errors contain whole responses with tokens in them, so only its constant messages are passed on.
 */
interface LibraryError {
  readonly code?: unknown
  readonly message?: string
  /** The provider's error code (RFC 6749 sections 4.1.2.1 and 5.2). */
  readonly error?: unknown
  readonly status?: unknown
  readonly cause?: unknown
}

const unavailableText = 'The sign-in provider cannot be reached just now. Try again in a minute.'
const misconfigured = 'Sign-in with this provider is not configured correctly. The log of this server has the reason.'

/** A response that this server, not the library, finds invalid. */
export class InvalidResponse extends Error {
  readonly code = 'OAUTH_INVALID_RESPONSE'
}

/** For errors in reading or using the provider's configuration. */
export function discoveryProblem(error: unknown, issuer: string, retryAfterMs: number): Problem {
  const { code, cause } = error as LibraryError
  const { body } = (cause ?? {}) as { body?: { issuer?: unknown } }
  // The common mistake: a slash too many or too few.
  const own = code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' && URL.parse(String(body?.issuer))?.href
  const reason = own ? `its issuer is ${own}, and must be configured so` : formatError(error)
  return unavailable(isUnavailable(error) ? unavailableText : misconfigured, `${issuer}: ${reason}`, retryAfterMs)
}

/** For errors in the callback, or in the provider's response to the code in it. */
export function callbackProblem(error: unknown, issuer: string): Problem {
  const { code, error: providerCode } = error as LibraryError
  const reason = `${issuer}: ${formatError(error)}`
  if (code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') {
    if (providerCode === 'access_denied')
      return forbidden('The sign-in was cancelled, or the provider does not allow you to use this server.', reason)
    const isTemporary = providerCode === 'temporarily_unavailable' || providerCode === 'server_error'
    return unavailable(isTemporary ? unavailableText : misconfigured, reason)
  }
  if (code === 'OAUTH_RESPONSE_BODY_ERROR' && providerCode === 'invalid_grant')
    return forbidden('This sign-in has finished already, or took too long. Sign in again.', reason)
  if (isUnavailable(error)) return unavailable(unavailableText, reason)
  if (invalidResponses.has(String(code)))
    return forbidden(
      'The response of the sign-in provider cannot be trusted, so you are not signed in. Sign in again. If that fails, tell an administrator of this server.',
      reason,
    )
  return unavailable(misconfigured, reason)
}

/** A response that is malformed, incomplete, expired, of another provider, or for another client. */
const invalidResponses = new Set(
  ['INVALID_RESPONSE', 'JWT_TIMESTAMP_CHECK_FAILED', 'JWT_CLAIM_COMPARISON_FAILED']
    .concat(['JSON_ATTRIBUTE_COMPARISON_FAILED', 'KEY_SELECTION_FAILED', 'UNSUPPORTED_OPERATION', 'PARSE_ERROR'])
    .map((name) => `OAUTH_${name}`),
)

/** The library wraps what its fetch throws, and passes on a response with an unexpected status. */
const isUnavailable = (error: unknown) => {
  const { cause } = error as LibraryError
  const status = cause instanceof Response ? cause.status : 0
  return error instanceof Unreachable || cause instanceof Unreachable || status >= 500 || status === 429
}

function formatError(error: unknown): string {
  const { code, message, error: providerCode, status, cause } = error as LibraryError
  for (const one of [error, cause]) if (one instanceof Unreachable) return one.message
  if (typeof code !== 'string' || !code.startsWith('OAUTH_')) return (error as Error).name
  const { code: innerCode, message: inner } = (cause ?? {}) as LibraryError
  const text = typeof innerCode === 'string' && innerCode.startsWith('OAUTH_') ? inner : message
  const responseStatus = cause instanceof Response ? cause.status : status
  return [
    text,
    ...(typeof responseStatus === 'number' ? [`it answered ${responseStatus}`] : []),
    ...(/^[a-z_]{1,40}$/.test(String(providerCode ?? '')) ? [String(providerCode)] : []),
  ].join(', ')
}

const forbidden = (detail: string, reason: string) => new Problem('forbidden', detail, { cause: new Error(reason) })

const unavailable = (detail: string, reason: string, retryAfterMs?: number) =>
  new Problem('unavailable', detail, { cause: new Error(reason), ...(retryAfterMs !== undefined && { retryAfterMs }) })
