import { percentEncode } from './addresses-in-text.ts'
import type { Markup } from './formatting.ts'

/**
 * Markdown of chats. A backslash escapes a character, but each chat supports only some: Discord and Mattermost both support these. For
 * addresses see `autolink`.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/[\\`*_~|[\]]/g, '\\$&')
    .replace(/^(\s*)([#>+-])/gm, '$1\\$2') // headings, quotations, lists
    .replace(/^(\s*\d{1,9})([.)])/gm, '$1\\$2') // numbered lists
}

/**
 * An address that both read verbatim (CommonMark section 6.5, «Autolinks»). A bare address would include the asterisks of a bold title.
 */
export const autolink = (url: string) => `<${percentEncode(url, /[\\`|[\]*~]/g)}>`

/** @param text escapes by the rules of a chat */
export function markdown(text: (plain: string) => string): Markup {
  return {
    text,
    bold: (plain) => `**${text(plain)}**`,
    // A parenthesis would end the address.
    links: (actions) =>
      actions
        .map(
          ({ label, url }) =>
            `[${text(label)}](${url.replace(/[()\s]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)})`,
        )
        .join(' · '),
  }
}
