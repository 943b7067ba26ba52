import type { Turns } from '#http/limits/fair-queue.ts'

/** An event loop whose turns and time a test makes. */
export interface HandTurnedLoop {
  readonly turns: Turns
  pass(ms: number): void
  /** What was to be called later is called; what that leaves for later is for the next turn. */
  turn(): void
  /** Turns until nothing is left for later. @returns how many it took */
  turnAll(): number
}

export function handTurnedLoop(): HandTurnedLoop {
  let now = 1_000
  let callbacks: (() => void)[] = []
  const turn = () => {
    const due = callbacks
    callbacks = []
    for (const callback of due) callback()
  }
  return {
    turns: { now: () => now, later: (callback) => callbacks.push(callback) },
    pass(ms) {
      now += ms
    },
    turn,
    turnAll() {
      let count = 0
      for (; callbacks.length > 0; count++) turn()
      return count
    },
  }
}
