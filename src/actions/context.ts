import type { Defaults } from '#core/reminder.ts'
import type { Transact } from '#store/transact.ts'

/** Who is asking. Every read and write of an owned thing is scoped to this owner. */
export interface Actor {
  readonly ownerId: number
}

/** What a wish needs besides its arguments. */
export interface Context {
  readonly transact: Transact
  readonly defaults: Defaults
  /** Called after the commit with an instant at which the bell has something to do. */
  readonly wake: (at: number) => void
}
