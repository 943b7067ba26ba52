const none: ReadonlyMap<string, string> = new Map()

/** More than this is nothing that anybody prefers. */
const longest = 1_000

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const quoted = '"(?:[^"\\\\]|\\\\.)*"'
/** One preference: what lies between commas that are not quoted. Behind a quote that does not end, nothing can be told apart. */
const one = new RegExp(`((?:[^,"]|${quoted})*)(?:,|$)`, 'gy')
/** Its name and value. Parameters, behind a semicolon, belong to preferences that are not known here. */
const parts = new RegExp(`^[ \\t]*(${token})[ \\t]*(?:=[ \\t]*(${token}|${quoted})?)?[ \\t]*(?:;|$)`)

/**
 * A request's preferences (RFC 7240), by their names in small letters; one without a value has an empty one. Nobody has to heed
 * them, so what cannot be read is passed over, where an If-Match would be refused. Of one that is given twice the first counts.
 */
export function parsePrefer(header: string | string[] | undefined): ReadonlyMap<string, string> {
  if (header === undefined) return none
  const text = String(header)
  if (text.length > longest) return none
  const preferences = new Map<string, string>()
  for (const [, preference = ''] of text.matchAll(one)) {
    const [, name, word = ''] = parts.exec(preference) ?? []
    if (name === undefined || preferences.has(name.toLowerCase())) continue
    const value = word.startsWith('"') ? word.slice(1, -1).replaceAll(/\\(.)/g, '$1') : word
    preferences.set(name.toLowerCase(), value)
  }
  return preferences
}
