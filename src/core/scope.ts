/**
 * Each scope includes the one before. `read` · `write`: tasks and notifications · `admin`: also channels, settings, tokens, and
 * operations that cannot be undone.
 */
export const scopes = ['read', 'write', 'admin'] as const

export type Scope = (typeof scopes)[number]

export function covers(scope: Scope, needed: Scope): boolean {
  return scopes.indexOf(scope) >= scopes.indexOf(needed)
}

/** The scopes that a scope includes, itself last. */
export function scopesWithin(scope: Scope): Scope[] {
  return scopes.slice(0, scopes.indexOf(scope) + 1)
}

/** The widest of these scopes; undefined when there is none. */
export function widest(wanted: readonly string[]): Scope | undefined {
  return scopes.findLast((scope) => wanted.includes(scope))
}
