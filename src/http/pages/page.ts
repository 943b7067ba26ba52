import type { FastifyReply } from 'fastify'

/** Text as HTML has it, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/**
 * Answers a page of ours. What a page may load is the page's to say, in `policy`; nothing else is allowed: no frame around it,
 * no form, no other base, no hold on it by whoever opened it; and what the headers of every answer refuse.
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
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-cache',
      ...more,
    })
    .type('text/html; charset=utf-8')
    .send(html)
}
