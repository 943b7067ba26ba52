/**
 * A browser with the features that sign-in needs: it keeps cookies, follows redirects and submits forms. Cookies belong to a host and not
 * to its port, as in real browsers. SameSite is ignored, since on loopback all is one site.
 */
export interface Browser {
  /** Opens a URL, and follows its redirects. */
  open(url: string): Promise<Page>
  /** The cookies that it would send there, each as `name=value`. */
  cookies(url: string): string[]
}

export interface Page {
  /** The URL after all redirects. */
  readonly url: string
  /** 0 for the page at which the browser stopped without a request. */
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Submits its form, with these fields besides the hidden ones. */
  submit(fields?: Record<string, string>): Promise<Page>
}

interface Cookie {
  readonly host: string
  readonly path: string
  readonly name: string
  readonly value: string
}

const maxRedirects = 20

/** @param stopsAt a URL (without its query) that is not requested when a redirect leads there */
export function openBrowser({ stopsAt }: { stopsAt?: string } = {}): Browser {
  let jar: Cookie[] = []

  const cookiesFor = ({ hostname, pathname }: URL) =>
    jar
      .filter(({ host, path }) => host === hostname && `${pathname}/`.startsWith(path.replace(/\/?$/, '/')))
      .map(({ name, value }) => `${name}=${value}`)

  function keep(url: URL, line: string) {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const [name = '', value = ''] = split(pair)
    const given = new Map(attributes.map((one) => split(one)).map(([key, text]) => [key.toLowerCase(), text]))
    const path = given.get('path') ?? url.pathname.replace(/\/[^/]*$/, '')
    const host = url.hostname
    jar = jar.filter((one) => one.host !== host || one.path !== path || one.name !== name)
    const isOver = Number(given.get('max-age') ?? 1) <= 0 || Date.parse(given.get('expires') ?? '') <= Date.now()
    if (!isOver) jar.push({ host, path: path || '/', name, value })
  }

  async function go(address: string, form?: URLSearchParams): Promise<Page> {
    let url = new URL(address)
    let body = form
    for (let i = 0; i < maxRedirects; i++) {
      if (stopsAt !== undefined && url.href.replace(/[?#].*/, '') === stopsAt) return toPage(url, 0, new Headers(), '')
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        headers: {
          cookie: cookiesFor(url).join('; '),
          ...(body && { origin: url.origin, 'sec-fetch-site': 'same-origin' }),
        },
        ...(body && { body }),
      })
      for (const line of response.headers.getSetCookie()) keep(url, line)
      const text = await response.text()
      const next = response.headers.get('location')
      if (response.status < 300 || response.status > 399 || next === null)
        return toPage(url, response.status, response.headers, text)
      url = new URL(next, url)
      if (response.status < 307) body = undefined
    }
    throw new Error(`${address} leads in a circle`)
  }

  function toPage(url: URL, status: number, headers: Headers, text: string): Page {
    return {
      url: url.href,
      status,
      headers,
      text,
      submit(fields = {}) {
        const [, tag] = /<form\b([^>]*)>/.exec(text) ?? []
        if (tag === undefined) throw new Error(`there is no form at ${url.origin}${url.pathname}: ${status} ${text}`)
        const values = new URLSearchParams()
        for (const [input] of text.matchAll(/<input\b[^>]*\btype="hidden"[^>]*>/g))
          values.set(attributeOf(input, 'name'), attributeOf(input, 'value'))
        for (const [name, value] of Object.entries(fields)) values.set(name, value)
        return go(new URL(attributeOf(tag, 'action'), url).href, values)
      },
    }
  }

  return {
    open: (url) => go(url),
    cookies: (url) => cookiesFor(new URL(url)),
  }
}

function split(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}

const attributeOf = (tag: string, name: string) =>
  (new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '').replaceAll('&amp;', '&')
