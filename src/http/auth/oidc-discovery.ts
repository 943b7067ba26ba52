import type { ClientAuth, Configuration, CustomFetch } from 'openid-client'
import { anywhere } from '#channels/egress-policy.ts'
import { type HttpResponse, openHttpClient, Unreachable } from '#channels/http-client.ts'
import type { Clock } from '#clock.ts'
import type { Problem } from '#core/problem.ts'
import { isConfidential } from '#core/web-address.ts'
import { describeDiscovery } from './oidc-errors.ts'

/** A provider as it describes itself (OpenID Connect Discovery 1.0), and the library to speak to it. */
export interface Provider {
  readonly library: typeof import('openid-client')
  readonly configuration: Configuration
}

export interface ProviderOptions {
  /** The provider's own name for itself, to the letter. */
  readonly issuer: string
  readonly clientId: string
  /** Absent or empty for a public client, which has PKCE alone. */
  readonly clientSecret?: string | undefined
  readonly clock: Clock
  /** How long each call to the provider may take, in ms. */
  readonly callMs?: number
}

/** After this a description is read again; as long as that fails the old one is good enough. */
const keptMs = 3_600_000
/** So often at most, however many people wait to sign in by a provider that is away. */
const retryMs = 10_000
const defaultCallMs = 10_000
/** Of an answer this much is read: keys with their certificates are 20 KB at the largest providers. */
const answerBytes = 256 * 1024

/**
 * Resolves with the provider, which is asked when somebody first wants to sign in: the server starts while it is away.
 * @throws Problem `unavailable`
 */
export function createDiscovery(options: ProviderOptions): () => Promise<Provider> {
  const { issuer, clock } = options
  let known: { readonly provider: Provider; readonly at: number } | undefined
  let failed: { readonly problem: Problem; readonly at: number } | undefined
  let inFlight: Promise<Provider> | undefined

  /** False after a step of the clock back, so that nothing is waited for until it has caught up. */
  const isWithin = (at: number, ms: number) => clock.now() >= at && clock.now() < at + ms

  async function look(): Promise<Provider> {
    try {
      const provider = await discover(options)
      known = { provider, at: clock.now() }
      failed = undefined
      return provider
    } catch (error) {
      const problem = describeDiscovery(error, issuer, retryMs)
      failed = { problem, at: clock.now() }
      if (known) return known.provider
      throw problem
    } finally {
      inFlight = undefined
    }
  }

  return async () => {
    if (known && isWithin(known.at, keptMs)) return known.provider
    if (failed && isWithin(failed.at, retryMs)) {
      if (known) return known.provider
      throw failed.problem
    }
    inFlight ??= look()
    return inFlight
  }
}

async function discover({
  issuer,
  clientId,
  clientSecret,
  callMs = defaultCallMs,
}: ProviderOptions): Promise<Provider> {
  // Here and not at the start: 7 MB and 30 ms that nobody pays who does not sign in so.
  const library = await import('openid-client')
  const server = new URL(issuer)
  const configuration = await library.discovery(
    server,
    clientId,
    undefined,
    clientSecret ? authenticate(library, clientSecret) : library.None(),
    {
      [library.customFetch]: createFetch(callMs),
      // http is for a provider on this machine alone; the fetch below looks at each address.
      execute: server.protocol === 'http:' ? [library.allowInsecureRequests] : [],
    },
  )
  // Where a browser is sent is not fetched, and so not looked at otherwise.
  if (!isConfidential(library.buildAuthorizationUrl(configuration, {}))) throw new Unreachable(isNamedOpenly)
  // Without it the library trusts an ID token by the TLS it came through (OpenID Connect Core 1.0 section 3.1.3.7 point 6).
  library.enableNonRepudiationChecks(configuration)
  return { library, configuration }
}

/** By HTTP Basic, which is what a provider takes that does not say (RFC 8414 section 2), and in the body where it does not take that. */
function authenticate(library: Provider['library'], secret: string): ClientAuth {
  const [basic, post] = [library.ClientSecretBasic(secret), library.ClientSecretPost(secret)]
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported
    const isPost = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic')
    return (isPost ? post : basic)(server, ...rest)
  }
}

/** Not by `fetch`, which reads informational answers (103 Early Hints) without end, and the event loop stood still meanwhile. */
function createFetch(callMs: number): CustomFetch {
  return async (address, { method, headers, body }) => {
    const url = new URL(address)
    // A description may name other hosts than its own.
    if (!isConfidential(url)) throw new Unreachable(isNamedOpenly)
    await using outbound = openHttpClient({ url, egress: anywhere }, answerBytes)
    const signal = AbortSignal.timeout(callMs)
    const answer = await outbound.request({
      method,
      headers: { ...headers, 'accept-encoding': 'identity' },
      body: String(body ?? ''),
      signal,
    })
    return toResponse(answer, signal)
  }
}

const isNamedOpenly = 'it names an address without TLS, which is not spoken to'

/** The statuses of which a Response must have no body. */
const bodiless = new Set([204, 205, 304])

function toResponse(answer: HttpResponse, signal: AbortSignal): Response {
  const { status, isWhole } = answer
  const text = answer.text()
  if (!isWhole && Buffer.byteLength(text) >= answerBytes)
    throw new Unreachable(`answers more than ${answerBytes / 1024} KiB`)
  if (!isWhole) throw new Unreachable(signal.aborted ? 'timed out' : 'broke off its answer')
  if (status < 200 || status > 599) throw new Unreachable('answers by a status that HTTP does not have')
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers))
    for (const one of [value ?? []].flat()) headers.append(name, one)
  return new Response(bodiless.has(status) || text === '' ? null : text, { status, headers })
}
