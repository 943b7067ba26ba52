/** An http(s) address inside a text. Quotes and angle brackets end it, as RFC 3986 appendix C advises for plain text. */
const address = /https?:\/\/[^\s<>"…]+/gi

/**
 * Renders a text in the syntax of a medium and keeps the addresses in it as links. Escaping inside an address makes a dead link: it turned
 * `https://example.org/Renew_the_passport` into `…/Renew\_the\_passport`.
 * @param render renders the text around addresses
 * @param link renders one address, which is absolute, http or https, and has no user name
 */
export function renderText(text: string, render: (plain: string) => string, link: (url: string) => string): string {
  return splitAtAddresses(text)
    .map(({ text, isAddress }) => (isAddress ? link(text) : render(text)))
    .join('')
}

/** The parts of a text, in order. Joined, they are the text. */
export function splitAtAddresses(text: string): readonly { readonly text: string; readonly isAddress: boolean }[] {
  const parts: { text: string; isAddress: boolean }[] = []
  let end = 0
  for (const { 0: found, index } of text.matchAll(address)) {
    const url = withoutPunctuation(found)
    // A truncated address leads nowhere. A user name before the host makes one host look like another.
    const isTruncated = text[index + found.length] === '…'
    const parsed = URL.parse(url)
    if (isTruncated || !parsed || parsed.username || parsed.password) continue
    if (index > end) parts.push({ text: text.slice(end, index), isAddress: false })
    parts.push({ text: url, isAddress: true })
    end = index + url.length
  }
  if (end < text.length) parts.push({ text: text.slice(end), isAddress: false })
  return parts
}

/** A full stop ends the sentence, not the address. A closing parenthesis belongs to an address that also has the opening one. */
function withoutPunctuation(url: string): string {
  const bare = url.replace(/[.,;:!?'*_~|`\]]+$/, '')
  const isClosedOnly = bare.endsWith(')') && !bare.includes('(')
  return isClosedOnly ? withoutPunctuation(bare.slice(0, -1)) : bare
}

/** Percent-encodes characters of an address that a medium would read as its own syntax (RFC 3986 section 2.1). */
export const percentEncode = (url: string, characters: RegExp) =>
  url.replace(characters, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
