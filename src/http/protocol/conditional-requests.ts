import type { IncomingHttpHeaders } from 'node:http'
import type { Precondition } from '#actions/conditions.ts'
import { malformedParameter } from '#core/problem.ts'

/**
 * Conditional requests (RFC 9110 section 13). A malformed header is refused and not ignored: otherwise a write that its client wanted to be
 * conditional would go ahead. A valid ETag that this server never returned matches nothing.
 */

/** The ETags of an If-None-Match. Weak and strong ETags are equal there. @throws Problem `malformed` */
export function parseIfNoneMatch(header: string | undefined): readonly string[] | '*' | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return '*'
  return parseTags('If-None-Match', header).map(({ tag }) => tag)
}

/** The versions that an If-Match allows; `*`: any that exists. A weak ETag matches nothing there. @throws Problem `malformed` */
export function parseIfMatch(header: string | undefined): readonly number[] | '*' | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return '*'
  const strong = parseTags('If-Match', header).filter(({ isWeak }) => !isWeak)
  return toVersions(strong.map(({ tag }) => tag))
}

/** The precondition of a write. @throws Problem `malformed` */
export function parseConditions(headers: IncomingHttpHeaders): Precondition {
  const version = parseIfMatch(headers['if-match'])
  const excluded = parseIfNoneMatch(headers['if-none-match'])
  return { version, notVersion: typeof excluded === 'object' ? toVersions(excluded) : excluded }
}

/** Whether the client has this version. @throws Problem `malformed` */
export function isNotModified(headers: IncomingHttpHeaders, etag: string): boolean {
  const seen = parseIfNoneMatch(headers['if-none-match'])
  return seen !== undefined && (seen === '*' || seen.includes(etag))
}

/** `"a"`, `W/"a"` or nothing, up to the next comma. A comma may stand in an ETag as well. */
const element = /[ \t]*(?:(W\/)?("[!#-~\x80-\xff]*")[ \t]*)?(?:,|$)/y

/** Empty elements are allowed (RFC 9110 section 5.6.1). */
function parseTags(name: string, header: string): { tag: string; isWeak: boolean }[] {
  const tags: { tag: string; isWeak: boolean }[] = []
  for (element.lastIndex = 0; element.lastIndex < header.length; ) {
    const [, weak, tag] = element.exec(header) ?? fail(name)
    if (tag !== undefined) tags.push({ tag, isWeak: weak !== undefined })
  }
  return tags
}

function fail(name: string): never {
  const detail = 'must be ETags like "3", separated by commas, or *'
  throw malformedParameter(name, detail, `${name} ${detail}.`)
}

/** The versions of these ETags. ETags that this server never returned have none. */
function toVersions(tags: readonly string[]): number[] {
  return tags.flatMap((tag) => (/^"[1-9]\d{0,14}"$/.test(tag) ? Number(tag.slice(1, -1)) : []))
}
