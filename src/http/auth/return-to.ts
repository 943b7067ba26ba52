/** In characters: it is a part of a cookie and of a Location header. */
const maxLength = 1_000

/**
 * Returns where to redirect after the sign-in: the given text if it is a path of this server, or else `/`. Otherwise a link to our
 * sign-in could end at a foreign page that asks for the password again. The result is encoded for a Location header.
 */
export function parseReturnTo(text: unknown): string {
  // Browsers read a backslash as a slash, and ignore tabs and line ends anywhere.
  if (typeof text !== 'string' || !/^\/(?!\/)[^\\\p{Cc}]*$/u.test(text)) return '/'
  const url = URL.parse(text, base)
  if (url?.origin !== base) return '/'
  const path = url.pathname + url.search + url.hash
  // Again: /.// has become //.
  return path.startsWith('//') || path.length > maxLength ? '/' : path
}

const base = 'http://own.invalid'
