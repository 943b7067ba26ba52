import assert from 'node:assert/strict'
import { readRoutes } from '#openapi/routes.ts'
import type { Keys } from './accounts.ts'
import type { CanaryFixture } from './fixture.ts'

/** Sends to every operation secrets in the query, in the path, in invalid bodies, and in every header that the server reads. */
export async function askEverywhere(
  fixture: CanaryFixture,
  { token, bertsToken, session, password, all }: Keys,
  links: string[],
) {
  const { canaries, ask } = fixture
  const secret = canaries.make('a secret in an odd place', (mark) => `whsec_${mark}AAAAAAAAAAAA`)
  const typed = canaries.make('a password in an odd place')
  for (const { method: small, url: pattern, schema } of readRoutes().routes) {
    const method = small.toUpperCase()
    const path = pattern.replaceAll(/:\w+/g, '1')
    const more = schema.operationId === 'followEvents' ? ({ until: 'begun' } as const) : {}
    const query = `token=${token}&access_token=${session}&password=${typed}`
    await ask(method, `${path}?${query}`, more)
    await ask(method, `${path}?${query}`, { token, ...more })
    for (const authorization of [
      ...[`Bearer ${typed}`, `Bearer ${token.slice(0, -1)}`, `token ${token}`],
      `Basic ${Buffer.from(`ada:${password}`).toString('base64')}`,
    ])
      await ask(method, path, { headers: { authorization }, ...more })
    if (pattern.includes(':'))
      for (const one of [...all, links[0] ?? ''])
        await ask(method, pattern.replaceAll(/:\w+/g, encodeURIComponent(one)), { token })
    if (schema.body !== undefined)
      for (const body of brokenBodies(schema.body, secret, typed)) {
        const { status } = await ask(method, path, { token, body })
        assert.ok(status >= 400, `${method} ${path} ${body}`)
      }
    for (const headers of oddHeaders(secret, typed, session))
      await ask(method, path, {
        token: bertsToken,
        headers,
        ...(schema.body !== undefined && { body: '{}' }),
        ...more,
      })
  }
}

/** With secrets around the fault, and as the wrong type of each member. */
function brokenBodies(schema: unknown, secret: string, typed: string): string[] {
  const members = Object.keys((schema as { properties?: object }).properties ?? {})
  return [
    ...[`{"password":"${typed}","secret":${secret}}`, secret, `{"secret":"${secret}`, `["${typed}",]`, `{${secret}}`],
    ...[JSON.stringify(secret), JSON.stringify([{ secret }])],
    JSON.stringify(Object.fromEntries(members.map((member) => [member, { [member]: [secret, typed] }]))),
  ]
}

function oddHeaders(secret: string, typed: string, session: string): Record<string, string>[] {
  const odd = { accept: secret, referer: `http://127.0.0.1/${typed}`, 'x-api-key': secret, traceparent: secret }
  const cookie = `a=${typed}; __Host-duebell=${session}x; __Host-duebell-oidc=${secret}`
  return [
    { ...odd, cookie, 'if-match': secret, prefer: secret, 'last-event-id': secret },
    { ...odd, 'if-none-match': `"${secret}"` },
    { ...odd, 'content-encoding': secret, 'idempotency-key': secret },
    { ...odd, 'content-type': `text/${secret}` },
    { ...odd, origin: `https://${typed}` },
  ]
}

/** Requests for no operation, and malformed ones: with keys of this server wherever possible. */
export async function askNonsense(
  { ask, outputs, url, canaries }: CanaryFixture,
  { token, all }: Keys,
  links: string[],
) {
  for (const one of [...all, ...links])
    for (const path of [one, `v1/${one}`, `/${one}`, `problems/${one}`, `v1/tasks/by-key/${one}`, `v1/%zz${one}`])
      for (const method of ['GET', 'PUT', 'TRACE']) await ask(method, `/${path}`, { token })
  for (const name of ['types', 'sort', 'status', 'ids', 'tag', 'cursor', 'q', token])
    for (const list of ['/v1/tasks', '/v1/notifications', '/v1/changes', '/v1/audit', '/v1/events'])
      await ask('GET', `${list}?${name}=${token}`, { token, headers: { accept: 'application/json' } })
  await ask('POST', '/v1/tasks', { token, body: { [token]: 1, title: 'x' } })

  const typed = canaries.make('a password in what is no request')
  const host = 'Host: localhost'
  const bearer = `Authorization: Bearer ${token}`
  const long = 'x'.repeat(16 * 1024)
  for (const [head, body] of [
    [['GET /v1/tasks HTTP/1.1', host, bearer + long]],
    [[`GET /?token=${token}${long} HTTP/1.1`, host]],
    [[`GET /v1/tasks?token=${token} HTTP/9.9`, host]],
    [[`${token} / HTTP/1.1`, host]],
    [[bearer, host]],
    [['GET / HTTP/1.1', host, `${bearer}\u0001`]],
    [['GET / HTTP/1.1', host, host, bearer]],
    [['POST /v1/tasks HTTP/1.1', host, bearer, 'Content-Length: x'], typed],
    [['POST /v1/tasks HTTP/1.1', host, bearer, 'Transfer-Encoding: chunked'], typed],
    [['POST /v1/tasks HTTP/1.1', host, bearer, 'Content-Type: application/json', 'Content-Length: 5000000'], typed],
  ] as [string[], string?][])
    await outputs.sendRaw(url, head, body)
}

/** All readable data, by an administrator and without authentication. */
export async function readEverything({ ask, addresses }: CanaryFixture, { token }: Keys) {
  const accept = { accept: 'application/json' }
  for (const { method, url } of readRoutes().routes)
    if (method === 'get') {
      const shown = url.startsWith('/v1/channels') ? addresses : []
      const path = url === '/v1/events' ? `${url}?wait=0` : url.replaceAll(/:\w+/g, '1')
      await ask('GET', path, { token, headers: accept, shown })
      await ask('GET', path, { headers: accept })
    }
  for (const path of ['/docs', '/set-up', '/sign-in', '/invitation', '/problems', '/v1/health']) await ask('GET', path)
}
