/** What stands in a cookie and in a Location header besides other things, in characters. */
const longest = 1_000

/**
 * Where a person is led after signing in: what was asked for if it is a path of this server, else `/`. Anything else would let a link to
 * our sign-in end at a page of somebody else's that asks for the password again. Comes back encoded, as a Location header wants it.
 */
export function parseReturnTo(text: unknown): string {
  // Browsers read a backslash as a slash, and leave out tabs and line ends wherever they stand.
  if (typeof text !== 'string' || !/^\/(?!\/)[^\\\p{Cc}]*$/u.test(text)) return '/'
  const url = URL.parse(text, base)
  if (url?.origin !== base) return '/'
  const path = url.pathname + url.search + url.hash
  // Once more: what began as /.// is // now.
  return path.startsWith('//') || path.length > longest ? '/' : path
}

const base = 'http://own.invalid'
