/** Longer headers are ignored. */
const maxLength = 1_000

/** A language range with its weight (RFC 9110 section 12.5.4). The wildcard names no language, so it is left out. */
const range = /^[ \t]*([a-z]{1,8}(?:-[a-z\d]{1,8})*)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/i

/** The languages of a request, the preferred one first; of equals, the one named first. Malformed ranges are ignored. */
export function parseAcceptLanguage(header: string | undefined): string[] {
  if (header === undefined || header.length > maxLength) return []
  return header
    .split(',')
    .flatMap((text) => {
      const [, tag, weight = '1'] = range.exec(text) ?? []
      return tag === undefined || Number(weight) === 0 ? [] : [{ tag, weight: Number(weight) }]
    })
    .sort((one, other) => other.weight - one.weight)
    .map(({ tag }) => tag)
}
