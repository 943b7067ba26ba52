import type { ClientAuth, Configuration, CustomFetch } from 'openid-client'
import { anywhere } from '#channels/egress-policy.ts'
import { type HttpResponse, openHttpClient, Unreachable } from '#channels/http-client.ts'
import type { Clock } from '#clock.ts'
import type { Problem } from '#core/problem.ts'
import { isConfidential } from '#core/web-address.ts'
import { discoveryProblem } from './oidc-errors.ts'

/** The configuration of a provider (OpenID Connect Discovery 1.0), and the library to talk to it. */
export interface Provider {
  readonly library: typeof import('openid-client')
  readonly configuration: Configuration
}

export interface ProviderOptions {
  /** Exactly as the provider's own configuration has it. */
  readonly issuer: string
  readonly clientId: string
  /** Absent or empty for a public client, which has PKCE alone. */
  readonly clientSecret?: string | undefined
  readonly clock: Clock
  /** The timeout of each call to the provider, in ms. */
  readonly callMs?: number
}

/** After this the configuration is read again; while that fails, the old one is used. */
const refreshMs = 3_600_000
/** The minimum between two attempts, however many users wait to sign in with a provider that is unavailable. */
const retryMs = 10_000
const defaultCallMs = 10_000
/** The maximum size of a response. Keys with their certificates are 20 KB at the largest providers. */
const maxResponseBytes = 256 * 1024

/**
 * Returns a function that resolves with the provider. The first sign-in contacts it, so the server can start while it is unavailable.
 * @throws Problem `unavailable`
 */
export function createDiscovery(options: ProviderOptions): () => Promise<Provider> {
  const { issuer, clock } = options
  let known: { readonly provider: Provider; readonly at: number } | undefined
  let failed: { readonly problem: Problem; readonly at: number } | undefined
  let inFlight: Promise<Provider> | undefined

  /** False after the clock was set back; otherwise all would wait until it has caught up. */
  const isWithin = (at: number, ms: number) => clock.now() >= at && clock.now() < at + ms

  async function refresh(): Promise<Provider> {
    try {
      const provider = await discover(options)
      known = { provider, at: clock.now() }
      failed = undefined
      return provider
    } catch (error) {
      const problem = discoveryProblem(error, issuer, retryMs)
      failed = { problem, at: clock.now() }
      if (known) return known.provider
      throw problem
    } finally {
      inFlight = undefined
    }
  }

  return async () => {
    if (known && isWithin(known.at, refreshMs)) return known.provider
    if (failed && isWithin(failed.at, retryMs)) {
      if (known) return known.provider
      throw failed.problem
    }
    inFlight ??= refresh()
    return inFlight
  }
}

async function discover({
  issuer,
  clientId,
  clientSecret,
  callMs = defaultCallMs,
}: ProviderOptions): Promise<Provider> {
  // Loaded here: at the start it would cost every server 7 MB and 30 ms.
  const library = await import('openid-client')
  const server = new URL(issuer)
  const configuration = await library.discovery(
    server,
    clientId,
    undefined,
    clientSecret ? clientAuth(library, clientSecret) : library.None(),
    {
      [library.customFetch]: createFetch(callMs),
      // http is only for a provider on this machine; the fetch below checks each address.
      execute: server.protocol === 'http:' ? [library.allowInsecureRequests] : [],
    },
  )
  // The fetch does not check the URL to which a browser is redirected.
  if (!isConfidential(library.buildAuthorizationUrl(configuration, {}))) throw new Unreachable(insecureUrl)
  // Otherwise the library trusts TLS instead of the signature of an ID token (OpenID Connect Core 1.0 section 3.1.3.7 point 6).
  library.enableNonRepudiationChecks(configuration)
  return { library, configuration }
}

/** HTTP Basic, the default of a provider that declares no method (RFC 8414 section 2); in the body where only that is supported. */
function clientAuth(library: Provider['library'], secret: string): ClientAuth {
  const [basic, post] = [library.ClientSecretBasic(secret), library.ClientSecretPost(secret)]
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported
    const isPost = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic')
    return (isPost ? post : basic)(server, ...rest)
  }
}

/** Rejected: the built-in `fetch`. It reads informational responses (103 Early Hints) without end, and blocked the event loop meanwhile. */
function createFetch(callMs: number): CustomFetch {
  return async (address, { method, headers, body }) => {
    const url = new URL(address)
    // A configuration may name other hosts than its own.
    if (!isConfidential(url)) throw new Unreachable(insecureUrl)
    await using client = openHttpClient({ url, egress: anywhere }, maxResponseBytes)
    const signal = AbortSignal.timeout(callMs)
    const answer = await client.request({
      method,
      headers: { ...headers, 'accept-encoding': 'identity' },
      body: String(body ?? ''),
      signal,
    })
    return toResponse(answer, signal)
  }
}

const insecureUrl = 'its configuration has an address without TLS, which is not allowed'

/** A Response with one of these must have no body. */
const bodiless = new Set([204, 205, 304])

function toResponse(answer: HttpResponse, signal: AbortSignal): Response {
  const { status, isWhole } = answer
  const text = answer.text()
  if (!isWhole && Buffer.byteLength(text) >= maxResponseBytes)
    throw new Unreachable(`sends a response of more than ${maxResponseBytes / 1024} KiB`)
  if (!isWhole)
    throw new Unreachable(signal.aborted ? 'timed out' : 'closed the connection before the end of its response')
  if (status < 200 || status > 599) throw new Unreachable('answers with an invalid status')
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers))
    for (const one of [value ?? []].flat()) headers.append(name, one)
  return new Response(bodiless.has(status) || text === '' ? null : text, { status, headers })
}
