import type { TestContext } from 'node:test'
import { startHttpReceiver } from '#kit/http-receiver.ts'

export interface BadOidcProvider {
  readonly url: string
  /** The number of requests after which it has sent all its lies. */
  readonly lies: number
}

/**
 * A misbehaving provider: its discovery document is valid, and then its response to every code repeats the request, with secret and code.
 */
export async function startBadOidcProvider(t: TestContext): Promise<BadOidcProvider> {
  let turn = 0
  const receiver = await startHttpReceiver(t, ({ path, headers, body }, response) => {
    if (path !== '/token') {
      const at = (place: string) => `${receiver.url}/${place}`
      const endpoints = { authorization_endpoint: at('auth'), token_endpoint: at('token'), jwks_uri: at('keys') }
      const can = { response_types_supported: ['code'], subject_types_supported: ['public'] }
      const all = { issuer: receiver.url, ...endpoints, ...can, id_token_signing_alg_values_supported: ['RS256'] }
      return void response.writeHead(200, json).end(JSON.stringify(all))
    }
    const input = `not with ${headers.authorization} and ${body}`
    const { status, head = json, text } = (lies[turn++ % lies.length] as Lie)(input)
    response.writeHead(status, head).end(text)
  })
  return { url: receiver.url, lies: lies.length }
}

type Lie = (text: string) => { status: number; head?: Record<string, string>; text: string }
const json = { 'content-type': 'application/json' }
const lies: readonly Lie[] = [
  (text) => ({ status: 401, text: JSON.stringify({ error: 'invalid_client', error_description: text }) }),
  (text) => ({ status: 400, text: JSON.stringify({ error: text }) }),
  (text) => ({ status: 200, text: JSON.stringify({ access_token: text, token_type: text, id_token: text }) }),
  (text) => ({ status: 200, text: `{"id_token":${text}` }),
  (text) => ({ status: 200, text: JSON.stringify({ access_token: 'x', token_type: 'bearer', id_token: jwt(text) }) }),
  (text) => ({ status: 500, head: { 'content-type': 'text/html' }, text }),
  (text) => ({ status: 302, head: { location: `http://127.0.0.1/?${encodeURIComponent(text)}` }, text }),
  (text) => ({ status: 401, head: { 'www-authenticate': `Basic realm="${encodeURIComponent(text)}"` }, text }),
]

/** A token whose issuer is the repeated request, with an invalid signature. */
const jwt = (text: string) =>
  [{ alg: 'RS256', kid: text }, { iss: text, sub: text, aud: text, exp: 4e9, iat: 1e9, nonce: text }, text]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
