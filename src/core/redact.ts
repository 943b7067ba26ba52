/**
 * Redacts text that has the form of a credential, wherever it stands: users paste a token where its id belongs, and programs put one
 * into a query. The kind of the credential stays readable.
 *
 *   dbl_ dbs_ dbi_   a token, a session, an invitation (actions/tokens.ts); a truncated or mistyped one is redacted too
 *   complete.7.…     the end of an action link (actions/links.ts)
 */
const keys = /(db[lsi]_)[0-9A-Za-z]{16,}|(complete|snooze|acknowledge)(?:\.\d+){4}\.[\w-]+/g
/**
 * The piece of invalid JSON that Node quotes in its error, which may be part of a secret. Node quotes at most 21 characters. Without a
 * bound a mebibyte of quotation marks would block the reminders for minutes.
 */
const quoted = /, (?:\.{3})?"[\s\S]{0,60}?"(?:\.{3})? is not valid JSON/g

export function redact(text: string): string {
  return text.replace(keys, (_, prefix = '', action = '') => `${prefix || `${action}.`}…`).replace(quoted, '')
}

/**
 * A URL that is safe to log, store and repeat: without the query, which may hold anything, and without credentials in the path, also
 * percent-encoded ones.
 */
export function redactPath(url: string): string {
  const path = url.replace(/\?.*/s, '')
  const plain = decoded(path)
  const shown = redact(plain)
  return shown === plain ? path : shown
}

function decoded(path: string): string {
  if (!path.includes('%')) return path
  // One by one, so that an invalid escape does not protect the others. Escapes of control characters stay, because no credential holds
  // one and PostgreSQL stores no text with a NUL.
  return path.replace(/%[2-7][0-9a-f]/gi, (one) => String.fromCharCode(Number.parseInt(one.slice(1), 16)))
}
