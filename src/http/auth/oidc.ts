import type { Identity } from '#actions/sign-in.ts'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { createDiscovery, type Provider, type ProviderOptions } from './oidc-discovery.ts'
import { Distrusted, describeAnswer } from './oidc-errors.ts'
import { parseReturnTo } from './return-to.ts'
import { createSealedCookie } from './sealed-cookie.ts'

/**
 * Signing in by an OpenID Connect provider: the authorization code flow with PKCE, state and nonce. Who may come in and what becomes of
 * them is decided by others: this knows no users, no sessions and no database.
 *
 *   begin ──► the person's browser goes to the provider, and keeps a cookie of ours
 *   finish ◄── it comes back with a code; the cookie says that it is the same browser, the provider says who it was
 *
 * Nothing is remembered here, so any replica can finish what another began: what must be is sealed into that cookie.
 */
export interface Oidc {
  /**
   * @param returnTo where the person wants to be afterwards; only a path of this server counts
   * @returns where to send the browser, and the value of a cookie for it: HttpOnly, SameSite=Lax (Strict would not come back from
   * another site), for `signInMs`
   * @throws Problem `unavailable`
   */
  begin(wish: { readonly returnTo?: unknown }): Promise<{ readonly location: string; readonly cookie: string }>
  /**
   * The cookie should be forgotten whatever comes of this.
   * @param url under which the browser came back; only its query counts
   * @throws Problem `malformed`, `forbidden`, `unavailable`, with a cause for the log
   */
  finish(back: { readonly cookie: string | undefined; readonly url: string }): Promise<SignedIn>
}

export interface SignedIn {
  readonly identity: Identity
  readonly returnTo: string
}

export interface OidcOptions extends ProviderOptions {
  /** Our own address to which the provider sends people back, as it is registered there. */
  readonly redirectUri: string
  /** A secret that all replicas share. */
  readonly sealKey: string
  readonly clock: Clock
}

/** How long a person may take at the provider. */
export const signInMs = 10 * 60_000

/** What the cookie holds. */
interface Begun {
  readonly state: string
  readonly nonce: string
  /** Of PKCE (RFC 7636): what the code is worth nothing without. */
  readonly verifier: string
  readonly returnTo: string
  readonly endsAt: number
}

export function createOidc(options: OidcOptions): Oidc {
  const { issuer, clientId, sealKey, clock } = options
  const redirectUri = new URL(options.redirectUri)
  const discovered = createDiscovery(options)
  // What was begun at one provider is not finished at another.
  const sealer = createSealedCookie(sealKey, `oidc ${issuer} ${clientId}`)

  /** @throws Problem */
  function recall(cookie: string | undefined, query: URLSearchParams): Begun {
    if (!query.has('code') && !query.has('error'))
      throw new Problem('malformed', 'This address is where a sign-in ends. Begin one instead of opening it.')
    if (!cookie)
      throw new Problem(
        'malformed',
        'No sign-in is under way in this browser: it was finished already, or took longer than 10 minutes. Sign in again.',
      )
    const text = sealer.unseal(cookie)
    if (text === null)
      throw new Problem(
        'malformed',
        'The cookie of this sign-in is not one of this server, or was changed. Sign in again.',
      )
    const begun: Begun = JSON.parse(text)
    // Of all states there are: whoever appends a second one hopes that somebody reads the other.
    if (query.getAll('state').join() !== begun.state)
      throw new Problem(
        'forbidden',
        'Another sign-in was begun in this browser after this one, perhaps in another tab. Sign in again.',
      )
    if (clock.now() >= begun.endsAt)
      throw new Problem('forbidden', 'The sign-in took longer than 10 minutes. Sign in again.')
    return begun
  }

  return {
    async begin({ returnTo }) {
      const { library, configuration } = await discovered()
      const begun: Begun = {
        state: library.randomState(),
        nonce: library.randomNonce(),
        verifier: library.randomPKCECodeVerifier(),
        returnTo: parseReturnTo(returnTo),
        endsAt: clock.now() + signInMs,
      }
      const location = library.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri.href,
        scope: 'openid email profile',
        state: begun.state,
        nonce: begun.nonce,
        code_challenge: await library.calculatePKCECodeChallenge(begun.verifier),
        code_challenge_method: 'S256',
      })
      return { location: location.href, cookie: sealer.seal(JSON.stringify(begun)) }
    },
    async finish({ cookie, url }) {
      // Of the address as the browser was told it; a proxy may have asked us under another.
      const back = new URL(redirectUri)
      back.search = URL.parse(url, redirectUri)?.search ?? ''
      const { state, nonce, verifier, returnTo } = recall(cookie, back.searchParams)
      const provider = await discovered()
      try {
        const { library, configuration } = provider
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
        const tokens = await library.authorizationCodeGrant(configuration, back, checks)
        return { identity: await identify(provider, tokens), returnTo }
      } catch (error) {
        throw describeAnswer(error, issuer)
      }
    },
  }
}

type Tokens = Awaited<ReturnType<Provider['library']['authorizationCodeGrant']>>

/** Who it is by the ID token, and by the provider's answer about them where that does not say. */
async function identify({ library, configuration }: Provider, tokens: Tokens): Promise<Identity> {
  const { iss, sub, ...claims } = tokens.claims() as NonNullable<ReturnType<Tokens['claims']>>
  if (sub === '' || sub.length > 255) throw new Distrusted('its subject has no or more than 255 characters')
  // An address and whether it is verified come from one place: half of each would vouch for what nobody vouched for.
  const isAsked = claims.email === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined
  const told = isAsked ? await library.fetchUserInfo(configuration, tokens.access_token, sub) : claims
  const email = toEmail(told.email)
  return {
    issuer: iss,
    subject: sub,
    email,
    // Some say it as text.
    emailVerified: email !== null && String(told.email_verified) === 'true',
    name: toName(claims.name ?? told.name),
  }
}

/** RFC 5321 section 4.5.3.1: 64 characters, the sign, 255 characters. */
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
