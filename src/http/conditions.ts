import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '#core/problem.ts'

/** Conditional requests (RFC 9110 section 13). What cannot be read is refused, not passed over. */

/** The ETags of an If-None-Match, without their mark of weakness, which counts for nothing there. @throws Problem `malformed` */
export function parseIfNoneMatch(header: string | undefined): readonly string[] | '*' | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return '*'
  const tags: string[] = []
  for (element.lastIndex = 0; element.lastIndex < header.length; ) {
    const [, tag] = element.exec(header) ?? fail('If-None-Match')
    if (tag !== undefined) tags.push(tag)
  }
  return tags
}

/** Whether who asks has this already. @throws Problem `malformed` */
export function isNotModified(headers: IncomingHttpHeaders, etag: string): boolean {
  const seen = parseIfNoneMatch(headers['if-none-match'])
  return seen !== undefined && (seen === '*' || seen.includes(etag))
}

/** `"a"`, `W/"a"` or nothing, up to the next comma: empty elements are no fault (section 5.6.1), and an ETag may hold a comma. */
const element = /[ \t]*(?:(?:W\/)?("[!#-~\x80-\xff]*")[ \t]*)?(?:,|$)/y

function fail(name: string): never {
  const detail = 'must be ETags like "3", separated by commas, or *'
  throw new Problem('malformed', `${name} ${detail}.`, { faults: [{ at: { parameter: name }, detail }] })
}
