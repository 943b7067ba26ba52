import { type Claim, releaseClaims } from '#store/claims.ts'
import type { Store } from '#store/engine/open.ts'

/** Claims on their way back to the database, where they become due again at once. */
export class Releases {
  readonly #store: Pick<Store, 'transactDeliveries'>
  readonly #waiting: Claim[] = []

  constructor(store: Pick<Store, 'transactDeliveries'>) {
    this.#store = store
  }

  add(claims: readonly Claim[]): void {
    this.#waiting.push(...claims)
  }

  isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** @returns how many claims were released. Those that could not be written wait for the next call. */
  async write(): Promise<number> {
    const batch = this.#waiting.slice()
    if (batch.length > 0) await this.#store.transactDeliveries((tx) => releaseClaims(tx, batch))
    this.#waiting.splice(0, batch.length)
    return batch.length
  }
}
