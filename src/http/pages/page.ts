import type { FastifyReply, FastifyRequest } from 'fastify'

/** Escapes text for HTML elements and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The shell of every page. The empty icon saves a request for /favicon.ico. @param head and body as HTML */
export function renderHtml({ title, head = '', body }: { title: string; head?: string; body: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
${head}
</head>
<body>
${body}
</body>
</html>
`
}

/**
 * Sends a page. It may load only what `policy` allows. Frames around it, another base URL and access from the window that opened it are
 * denied, and so is what the security headers of every response deny.
 */
export function sendHtml(
  reply: FastifyReply,
  html: string,
  policy: string,
  headers: Record<string, string> = {},
): FastifyReply {
  return reply
    .headers({
      'content-security-policy': `default-src 'none'; ${policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-cache',
      ...headers,
    })
    .type('text/html; charset=utf-8')
    .send(html)
}

/** The way from a path up to the root, `../` for `/tasks/42`: addresses of pages are relative, as a proxy may put a path before them. */
export const rootOf = ({ url }: FastifyRequest): string => '../'.repeat(url.replace(/[?#].*/, '').split('/').length - 2)
