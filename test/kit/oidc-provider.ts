import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
// Not imported from its index, which warns that every Node before its long-term support is unsupported.
// @ts-expect-error: it has no types, and those that others wrote bring a dozen packages for the ten lines below
import { Provider as Untyped } from 'oidc-provider/lib/provider.js'
import type { Browser, Page } from './browser.ts'
import { close } from './listen.ts'
import { selfSigned } from './self-signed.ts'

/** A person with a login there; `sub` is the name that they type. */
export interface Account {
  readonly sub: string
  readonly email?: string
  readonly email_verified?: boolean
  readonly name?: string
}

/** An OpenID Connect provider on loopback. It is a real one, except for its login page. */
export interface OidcProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Its requests, such as `GET /jwks`, in order. */
  readonly asked: string[]
  /** Gets each request first; returns true if it has responded, or will not. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Stops listening at its address. */
  stop(): Promise<void>
  /** Listens again, with all its data. */
  start(): Promise<void>
}

export interface OidcProviderOptions {
  /** The allowed redirect URIs. */
  readonly redirectUri: string
  readonly accounts: readonly Account[]
  /** The authentication of the client; `none` has no secret. */
  readonly clientAuth?: 'client_secret_basic' | 'client_secret_post' | 'none'
  /** Puts the claims of scopes into the ID token, as many providers do. By default userinfo has them, as the specification says. */
  readonly hasClaimsInIdToken?: boolean
  /** Uses TLS, with the certificate of `self-signed.ts`. */
  readonly isSecure?: boolean
}

interface Interaction {
  readonly prompt: { readonly name: string; readonly details: { readonly missingOIDCScope?: readonly string[] } }
  readonly params: { readonly client_id: string }
  readonly session?: { readonly accountId: string }
}
interface Grant {
  addOIDCScope(scopes: string): void
  save(): Promise<string>
}
interface Provider {
  readonly Grant: new (of: { accountId: string | undefined; clientId: string }) => Grant
  callback(): (request: IncomingMessage, response: ServerResponse) => void
  interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
  interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
}
const Provider = Untyped as new (issuer: string, configuration: object) => Provider

/** One key for all tests: its signatures protect nothing. */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const signingKey = { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'test' }

/** A JSON Web Token signed with the key of every provider here, with the claims of a test. */
export function signToken(
  claims: object,
  signWith = (text: string) => sign('sha256', Buffer.from(text), privateKey),
  alg = 'RS256',
): string {
  const text = [{ alg, kid: signingKey.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${signWith(text).toString('base64url')}`
}

const aDay = 86_400

/** A canary, with characters that must be encoded. */
const clientSecret = 'canary-of-the-secret+/%&=:'

export async function startOidcProvider(t: TestContext, options: OidcProviderOptions): Promise<OidcProvider> {
  const {
    redirectUri,
    accounts,
    clientAuth = 'client_secret_basic',
    hasClaimsInIdToken = false,
    isSecure = false,
  } = options
  let handle: (request: IncomingMessage, response: ServerResponse) => void
  const server = isSecure ? createSecureServer(selfSigned) : createServer()
  server.on('request', (request, response) => {
    response.on('error', () => {}) // the client may be gone
    provider.asked.push(`${request.method} ${request.url?.replace(/\?.*/, '')}`)
    if (!provider.intercept(request, response)) handle(request, response)
  })
  let port = 0
  const provider: OidcProvider = {
    get issuer() {
      return `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`
    },
    clientId: 'duebell',
    clientSecret: clientAuth === 'none' ? '' : clientSecret,
    asked: [],
    intercept: () => false,
    stop: () => close(server),
    async start() {
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
      port = (server.address() as AddressInfo).port
    },
  }
  await provider.start()
  t.after(() => provider.stop())

  const oidc = new Provider(provider.issuer, {
    adapter: createMemory(),
    clients: [
      {
        client_id: provider.clientId,
        ...(clientAuth !== 'none' && { client_secret: clientSecret }),
        token_endpoint_auth_method: clientAuth,
        redirect_uris: [redirectUri],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    clientAuthMethods: [clientAuth],
    jwks: { keys: [signingKey] },
    cookies: { keys: ['of no worth'] },
    pkce: { required: () => true },
    scopes: ['openid', 'email', 'profile'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: !hasClaimsInIdToken,
    ttl: { AccessToken: aDay, AuthorizationCode: aDay, Grant: aDay, IdToken: aDay, Interaction: aDay, Session: aDay },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_: unknown, sub: string) => {
      const account = accounts.find((one) => one.sub === sub)
      return account && { accountId: sub, claims: () => account }
    },
    renderError(ctx: { body: string }, { error, error_description: why }: Record<string, string>) {
      ctx.body = `${error}: ${why}`
    },
  })
  const standard = oidc.callback()
  handle = (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return standard(request, response)
    interact(oidc, accounts, request, response).catch((error) => response.writeHead(500).end(String(error)))
  }
  return provider
}

/**
 * A person signs in there, if they have not yet, and gives consent.
 * @param location the redirect of our side
 * @returns the page at which they end up, which is none of the provider's
 */
export async function signInAt(
  provider: OidcProvider,
  browser: Browser,
  location: string,
  login: string,
): Promise<Page> {
  let page = await browser.open(location)
  for (let forms = 0; page.url.startsWith(provider.issuer); forms++) {
    if (forms === 2) throw new Error(`the provider does not let ${login} in: ${page.text}`)
    page = await page.submit(page.text.includes('name="login"') ? { login, password: 'of no worth' } : {})
  }
  return page
}

/** The pages of the provider: login and consent. */
async function interact(
  provider: Provider,
  accounts: readonly Account[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  const form = new URLSearchParams(body)
  const login = form.get('login')
  if (form.has('cancel')) return provider.interactionFinished(request, response, { error: 'access_denied' })
  if (request.method === 'POST' && prompt.name === 'consent') {
    const grant = new provider.Grant({ accountId: session?.accountId, clientId: params.client_id })
    grant.addOIDCScope(prompt.details.missingOIDCScope?.join(' ') ?? '')
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
  }
  if (accounts.some(({ sub }) => sub === login))
    return provider.interactionFinished(request, response, { login: { accountId: login } })
  const fields = prompt.name === 'login' ? '<input name="login"><input name="password" type="password">' : ''
  response
    .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    .end(
      `<h1>${prompt.name}</h1><form method="post" action="${request.url}">${fields}<button name="cancel">No</button></form>`,
    )
}

/** The storage of the provider: the default one logs at every start that it is for development. */
function createMemory() {
  const stored = new Map<string, { uid?: string; grantId?: string; consumed?: number }>()
  return (model: string) => ({
    find: async (id: string) => stored.get(`${model}:${id}`),
    findByUid: async (uid: string) => [...stored.values()].find((one) => one.uid === uid),
    async upsert(id: string, payload: object) {
      stored.set(`${model}:${id}`, payload)
    },
    async consume(id: string) {
      const one = stored.get(`${model}:${id}`)
      if (one) one.consumed = 1
    },
    async destroy(id: string) {
      stored.delete(`${model}:${id}`)
    },
    async revokeByGrantId(grantId: string) {
      for (const [key, one] of stored) if (one.grantId === grantId) stored.delete(key)
    },
  })
}
