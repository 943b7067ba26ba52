import type { FastifyReply } from 'fastify'

/** Text as HTML has it, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/**
 * Answers a page of ours. What a page may load is the page's to say, in `policy`; nothing else is allowed: no frame around it,
 * no form, no other base, no guessing of types, and no word to others of where the reader came from.
 */
export function sendPage(
  reply: FastifyReply,
  html: string,
  policy: string,
  more: Record<string, string> = {},
): FastifyReply {
  return reply
    .headers({
      'content-security-policy': `default-src 'none'; ${policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
      ...more,
    })
    .type('text/html; charset=utf-8')
    .send(html)
}
