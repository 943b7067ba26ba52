const none: ReadonlyMap<string, string> = new Map()

/** Longer headers are ignored. */
const maxLength = 1_000

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const quoted = '"(?:[^"\\\\]|\\\\.)*"'
/** One preference: the text between commas outside of quotes. It ends at a quote that is not closed. */
const one = new RegExp(`((?:[^,"]|${quoted})*)(?:,|$)`, 'gy')
/** Its name and value. The parameters after a semicolon are not used by any known preference. */
const parts = new RegExp(`^[ \\t]*(${token})[ \\t]*(?:=[ \\t]*(${token}|${quoted})?)?[ \\t]*(?:;|$)`)

/**
 * The preferences of a request (RFC 7240) by their lower-case names. A preference without a value has an empty one. Preferences are optional, so
 * malformed ones are ignored, unlike a malformed If-Match. If a preference occurs twice, the first counts.
 */
export function parsePrefer(header: string | string[] | undefined): ReadonlyMap<string, string> {
  if (header === undefined) return none
  const text = String(header)
  if (text.length > maxLength) return none
  const preferences = new Map<string, string>()
  for (const [, preference = ''] of text.matchAll(one)) {
    const [, name, word = ''] = parts.exec(preference) ?? []
    if (name === undefined || preferences.has(name.toLowerCase())) continue
    const value = word.startsWith('"') ? word.slice(1, -1).replaceAll(/\\(.)/g, '$1') : word
    preferences.set(name.toLowerCase(), value)
  }
  return preferences
}
