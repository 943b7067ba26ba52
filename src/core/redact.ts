/**
 * What is a key by its form, wherever it has got to, is not said again: people paste a token where its number belongs, and programs put one
 * into a query. Of a key its kind is left, so that whoever reads it knows what stood there.
 *
 *   dbl_ dbs_ dbi_   a token, a session, an invitation (actions/tokens.ts); what is cut or mistyped is most of one as well
 *   complete.7.…     the end of a link in a message (actions/links.ts)
 */
const keys = /(db[lsi]_)[0-9A-Za-z]{16,}|(complete|snooze|acknowledge)(?:\.\d+){4}\.[\w-]+/g
/**
 * What Node quotes of a text that is no JSON: a piece of it, which may be of a secret. It quotes 21 characters at most; without a bound a
 * mebibyte of quotation marks would keep the bell waiting for minutes.
 */
const quoted = /, (?:\.{3})?"[\s\S]{0,60}?"(?:\.{3})? is not valid JSON/g

export function redact(text: string): string {
  return text.replace(keys, (_, prefix = '', act = '') => `${prefix || `${act}.`}…`).replace(quoted, '')
}

/**
 * A path and query as they may be logged, kept and repeated: without the query, which may hold anything, and without what is a key in the
 * path, also where some of it is encoded.
 */
export function redactPath(url: string): string {
  const path = url.replace(/\?.*/s, '')
  const plain = decoded(path)
  const shown = redact(plain)
  return shown === plain ? path : shown
}

function decoded(path: string): string {
  if (!path.includes('%')) return path
  // Each for itself: one that is no escape must not save the others. Not those of control characters, which no key holds: PostgreSQL
  // keeps no text with a NUL in it.
  return path.replace(/%[2-7][0-9a-f]/gi, (one) => String.fromCharCode(Number.parseInt(one.slice(1), 16)))
}
