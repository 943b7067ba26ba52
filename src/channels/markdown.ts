import { encodeSigns } from './addresses-in-text.ts'
import type { Markup } from './formatting.ts'

/**
 * Markdown as chats speak it. A backslash makes a sign be itself, but each chat knows only some: what is escaped here, Discord and
 * Mattermost both know. Not for an address: see `autolink`.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*_~|[\]]/g, '\\$&')
    .replace(/^(\s*)([#>+-])/gm, '$1\\$2') // headings, quotations, lists
    .replace(/^(\s*\d{1,9})([.)])/gm, '$1\\$2') // numbered lists
}

/**
 * An address as both read it without a look at its signs (CommonMark section 6.5, «Autolinks»). A bare one would take the stars of a
 * bold title along.
 */
export const autolink = (url: string) => `<${encodeSigns(url, /[\\`|[\]*~]/g)}>`

/** @param text escapes by the rules of one chat */
export function markdown(text: (plain: string) => string): Markup {
  return {
    text,
    bold: (plain) => `**${text(plain)}**`,
    // A parenthesis would end the address.
    links: (actions) =>
      actions
        .map(
          ({ label, url }) =>
            `[${text(label)}](${url.replace(/[()\s]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)})`,
        )
        .join(' · '),
  }
}
