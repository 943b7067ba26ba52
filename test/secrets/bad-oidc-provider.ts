import type { TestContext } from 'node:test'
import { startHttpReceiver } from '#kit/http-receiver.ts'

export interface LyingProvider {
  readonly url: string
  /** So often it has to be asked until it has told all of its lies. */
  readonly lies: number
}

/** Of somebody's sign-in: describes itself well, and then answers every code with all that it was told, secret and code among it. */
export async function startLyingProvider(t: TestContext): Promise<LyingProvider> {
  let turn = 0
  const receiver = await startHttpReceiver(t, ({ path, headers, body }, response) => {
    if (path !== '/token') {
      const at = (place: string) => `${receiver.url}/${place}`
      const endpoints = { authorization_endpoint: at('auth'), token_endpoint: at('token'), jwks_uri: at('keys') }
      const can = { response_types_supported: ['code'], subject_types_supported: ['public'] }
      const all = { issuer: receiver.url, ...endpoints, ...can, id_token_signing_alg_values_supported: ['RS256'] }
      return void response.writeHead(200, json).end(JSON.stringify(all))
    }
    const said = `not with ${headers.authorization} and ${body}`
    const { status, head = json, text } = (lies[turn++ % lies.length] as Lie)(said)
    response.writeHead(status, head).end(text)
  })
  return { url: receiver.url, lies: lies.length }
}

type Lie = (said: string) => { status: number; head?: Record<string, string>; text: string }
const json = { 'content-type': 'application/json' }
const lies: readonly Lie[] = [
  (said) => ({ status: 401, text: JSON.stringify({ error: 'invalid_client', error_description: said }) }),
  (said) => ({ status: 400, text: JSON.stringify({ error: said }) }),
  (said) => ({ status: 200, text: JSON.stringify({ access_token: said, token_type: said, id_token: said }) }),
  (said) => ({ status: 200, text: `{"id_token":${said}` }),
  (said) => ({ status: 200, text: JSON.stringify({ access_token: 'x', token_type: 'bearer', id_token: jwt(said) }) }),
  (said) => ({ status: 500, head: { 'content-type': 'text/html' }, text: said }),
  (said) => ({ status: 302, head: { location: `http://127.0.0.1/?${encodeURIComponent(said)}` }, text: said }),
  (said) => ({ status: 401, head: { 'www-authenticate': `Basic realm="${encodeURIComponent(said)}"` }, text: said }),
]

/** Whose issuer is all that was said, and whose signature is nobody's. */
const jwt = (said: string) =>
  [{ alg: 'RS256', kid: said }, { iss: said, sub: said, aud: said, exp: 4e9, iat: 1e9, nonce: said }, said]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
