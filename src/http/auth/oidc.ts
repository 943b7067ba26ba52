import type { Identity } from '#actions/sign-in.ts'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { createCookieCipher } from './encrypted-cookie.ts'
import { createDiscovery, type Provider, type ProviderOptions } from './oidc-discovery.ts'
import { callbackProblem, InvalidResponse } from './oidc-errors.ts'
import { parseReturnTo } from './return-to.ts'

/**
 * Sign-in with an OpenID Connect provider: the authorization code flow with PKCE, state and nonce. Accounts and sessions are the caller's
 * part: this module has no users, no sessions and no database.
 *
 *   begin ──► the browser goes to the provider, and keeps our cookie
 *   finish ◄── it returns with a code; the cookie proves that it is the same browser, the provider says who the user is
 *
 * The server keeps no state: all of it is in the encrypted cookie, so any replica can finish a sign-in that another began.
 */
export interface Oidc {
  /**
   * @param returnTo where to redirect after the sign-in; only a path of this server counts
   * @returns where to redirect the browser, and the value of a cookie for it: HttpOnly, SameSite=Lax (a browser that returns from another
   * site would not send a Strict one), for `signInMs`
   * @throws Problem `unavailable`
   */
  begin(request: { readonly returnTo?: unknown }): Promise<{ readonly location: string; readonly cookie: string }>
  /**
   * Delete the cookie afterwards, also when this fails.
   * @param url to which the browser returned; only its query counts
   * @throws Problem `malformed`, `forbidden`, `unavailable`, with a cause for the log
   */
  finish(response: { readonly cookie: string | undefined; readonly url: string }): Promise<SignedIn>
}

export interface SignedIn {
  readonly identity: Identity
  readonly returnTo: string
}

export interface OidcOptions extends ProviderOptions {
  /** The URL of our callback, as registered with the provider. */
  readonly redirectUri: string
  /** Encrypts the cookie; all replicas share it. */
  readonly cookieKey: string
  readonly clock: Clock
}

/** How long the user may take at the provider. */
export const signInMs = 10 * 60_000

/** The content of the cookie. */
interface PendingSignIn {
  readonly state: string
  readonly nonce: string
  /** The PKCE verifier, without which the code is useless (RFC 7636). */
  readonly verifier: string
  readonly returnTo: string
  readonly endsAt: number
}

export function createOidc(options: OidcOptions): Oidc {
  const { issuer, clientId, cookieKey, clock } = options
  const redirectUri = new URL(options.redirectUri)
  const discovered = createDiscovery(options)
  // A sign-in that began at one provider cannot finish at another.
  const cipher = createCookieCipher(cookieKey, `oidc ${issuer} ${clientId}`)

  /** @throws Problem */
  async function readPending(cookie: string | undefined, query: URLSearchParams): Promise<PendingSignIn> {
    if (!query.has('code') && !query.has('error'))
      throw new Problem('malformed', 'This address is where a sign-in ends. Start one at /sign-in.')
    if (!cookie)
      throw new Problem(
        'malformed',
        'No sign-in is in progress in this browser: it has finished, or took longer than 10 minutes. Sign in again.',
      )
    const text = await cipher.decrypt(cookie)
    if (text === null)
      throw new Problem(
        'malformed',
        'The cookie of this sign-in is not from this server, or was changed. Sign in again.',
      )
    const pending: PendingSignIn = JSON.parse(text)
    // All states are compared: an attacker could append a second one, which other code might read.
    if (query.getAll('state').join() !== pending.state)
      throw new Problem(
        'forbidden',
        'Another sign-in has begun in this browser since, perhaps in another tab. Sign in again.',
      )
    if (clock.now() >= pending.endsAt)
      throw new Problem('forbidden', 'The sign-in took longer than 10 minutes. Sign in again.')
    return pending
  }

  return {
    async begin({ returnTo }) {
      const { library, configuration } = await discovered()
      const pending: PendingSignIn = {
        state: library.randomState(),
        nonce: library.randomNonce(),
        verifier: library.randomPKCECodeVerifier(),
        returnTo: parseReturnTo(returnTo),
        endsAt: clock.now() + signInMs,
      }
      const location = library.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri.href,
        scope: 'openid email profile',
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await library.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
      })
      return { location: location.href, cookie: await cipher.encrypt(JSON.stringify(pending)) }
    },
    async finish({ cookie, url }) {
      // The registered URL, since a proxy may have forwarded the request under another.
      const callback = new URL(redirectUri)
      callback.search = URL.parse(url, redirectUri)?.search ?? ''
      const { state, nonce, verifier, returnTo } = await readPending(cookie, callback.searchParams)
      const provider = await discovered()
      try {
        const { library, configuration } = provider
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
        const tokens = await library.authorizationCodeGrant(configuration, callback, checks)
        return { identity: await identify(provider, tokens), returnTo }
      } catch (error) {
        throw callbackProblem(error, issuer)
      }
    },
  }
}

type Tokens = Awaited<ReturnType<Provider['library']['authorizationCodeGrant']>>

/** Returns the identity in the ID token, with the e-mail address and name of the UserInfo endpoint where the token has no address. */
async function identify({ library, configuration }: Provider, tokens: Tokens): Promise<Identity> {
  const { iss, sub, ...claims } = tokens.claims() as NonNullable<ReturnType<Tokens['claims']>>
  if (sub === '' || sub.length > 255) throw new InvalidResponse('its subject has no or more than 255 characters')
  // The address and its verification come from one source: mixed, they would verify an address that no source has verified.
  const needsUserInfo = claims.email === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined
  const profile = needsUserInfo ? await library.fetchUserInfo(configuration, tokens.access_token, sub) : claims
  const email = toEmail(profile.email)
  return {
    issuer: iss,
    subject: sub,
    email,
    // Some providers send text.
    emailVerified: email !== null && String(profile.email_verified) === 'true',
    name: toName(claims.name ?? profile.name),
  }
}

/** RFC 5321 section 4.5.3.1: 64 characters, @, 255 characters. */
const maxEmailLength = 320
const maxNameLength = 200

const toEmail = (claim: unknown) =>
  typeof claim === 'string' && claim.length <= maxEmailLength && /^[^\s\p{C}@]+@[^\s\p{C}@]+$/u.test(claim)
    ? claim
    : null

function toName(claim: unknown): string | null {
  if (typeof claim !== 'string') return null
  const text = claim
    .toWellFormed()
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
  return [...text].slice(0, maxNameLength).join('') || null
}
