import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { renderHtml, sendHtml } from './page.ts'

/** A page in the common layout. It stays plain until the web app brings its own. */
export interface Page {
  /** The title of the window; the heading is in the body. */
  readonly title: string
  /** As HTML. */
  readonly body: string
  /** A script, which may call the API. */
  readonly script?: string
  /** Has a form that posts to this server without a script. */
  readonly hasForm?: boolean
  /** As wide as an article, instead of a form. */
  readonly isArticle?: boolean
}

/** @param headers beside those of every page */
export function sendPage(reply: FastifyReply, page: Page, headers: Record<string, string> = {}): FastifyReply {
  const { title, body, script, hasForm = false, isArticle = false } = page
  const policy = [
    ...(script === undefined ? [] : [`script-src ${hashOf(script)}; connect-src 'self'`]),
    `style-src ${styleHash}; img-src data:`,
    // The first directive of a name counts; sendHtml adds one that denies all forms.
    ...(hasForm ? ["form-action 'self'"] : []),
  ].join('; ')
  const html = renderHtml({
    title: `${title} · Duebell`,
    head: `<style>${style}</style>`,
    body: `<main${isArticle ? ' class="article"' : ''}>
${isArticle ? '' : mark}${body}
</main>${script === undefined ? '' : `\n<script>${script}</script>`}`,
  })
  return sendHtml(reply, html, policy, headers)
}

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const mark = `<p class="mark"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2a1.6 1.6 0 0 1 1.6 1.7 6.6 6.6 0 0 1 5 6.5v4.2l1.7 2.6c.4.7 0 1.5-.8 1.5h-15c-.8 0-1.2-.8-.8-1.5l1.7-2.6v-4.2a6.6 6.6 0 0 1 5-6.5A1.6 1.6 0 0 1 12 2Zm-2.5 17.8h5a2.5 2.5 0 0 1-5 0Z"/></svg>Duebell</p>
`

/**
 * Contrast with the paper, in light and dark: accent 6.2 and 7.3 to 1, soft ink 5.4 and 6.7, line 3.3 and 3.6.
 */
const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d1b16, #eae6dc); --soft: light-dark(#6b655a, #a39d90); --paper: light-dark(#faf8f3, #171613); --raised: light-dark(#fff, #1f1d1a); --line: light-dark(#8d8779, #767063); --accent: light-dark(#a03c1b, #f08a5d) }
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, sans-serif }
main { max-width: 26rem; margin: 0 auto; padding: clamp(1.5rem, 11vh, 8rem) 1.25rem 3rem }
.mark { display: flex; align-items: center; gap: .5rem; margin: 0 0 2rem; font-weight: 600; color: var(--accent) }
.mark svg { width: 1.5rem; fill: currentColor }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1rem; margin: 2rem 0 .25rem }
p { margin: 0 0 1rem }
.subject { font-weight: 600; overflow-wrap: anywhere }
form { display: grid; gap: 1.25rem; margin-top: 1.75rem }
label { display: block; font-weight: 600; margin-bottom: .25rem }
small { display: block; margin-top: .3rem; font-size: 15px; color: var(--soft) }
small:empty { display: none }
.error { color: var(--accent); font-weight: 600 }
.row { display: flex; gap: .5rem }
input { flex: 1; min-width: 0; font: inherit; padding: .65rem .75rem; border: 1px solid var(--line); border-radius: 8px; background: var(--raised); color: inherit }
[aria-invalid=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent) }
button, .button { font: inherit; font-weight: 600; text-align: center; text-decoration: none; padding: .7rem 1rem; border: 1px solid var(--accent); border-radius: 8px; background: var(--accent); color: var(--paper); cursor: pointer }
.quiet { background: transparent; color: var(--accent); border-color: var(--line) }
.row .quiet { min-width: 5.2rem; padding-inline: .5rem }
[aria-disabled=true] { opacity: .6; cursor: progress }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
h1:focus-visible { outline: 0 }
a { color: var(--accent) }
.button { display: block }
.or { margin: 1.25rem 0 0 }
.note, output { padding: .1rem 0 .1rem .8rem; border-left: 3px solid var(--accent); overflow-wrap: anywhere }
output:empty { display: none }
code { flex: 1; min-width: 0; padding: .65rem .75rem; border: 1px solid var(--line); border-radius: 8px; background: var(--raised); overflow-wrap: anywhere; font: 15px/1.5 ui-monospace, monospace; user-select: all }
.article { max-width: 42rem; padding-block: 3rem }
.type, .status { color: var(--soft) }
pre { background: var(--raised); padding: .9rem 1rem; border-radius: 8px; font: 14px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
td { padding: .3rem 1rem .3rem 0; vertical-align: top }
`
const styleHash = hashOf(style)
