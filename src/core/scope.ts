/**
 * Each takes the one before it in: `read` · `write`: tasks, and what rings · `admin`: also channels, settings, tokens, and what cannot be
 * undone.
 */
export const scopes = ['read', 'write', 'admin'] as const

export type Scope = (typeof scopes)[number]

export function covers(scope: Scope, needed: Scope): boolean {
  return scopes.indexOf(scope) >= scopes.indexOf(needed)
}

/** All that a scope takes in, itself the last. */
export function scopesWithin(scope: Scope): Scope[] {
  return scopes.slice(0, scopes.indexOf(scope) + 1)
}

/** The one that takes all the others in; undefined when there is none. */
export function widest(wanted: readonly string[]): Scope | undefined {
  return scopes.findLast((scope) => wanted.includes(scope))
}
