import type { EventLoop } from '#http/limits/fair-queue.ts'

/** An event loop whose turns and time a test controls. */
export interface ManualEventLoop {
  readonly eventLoop: EventLoop
  pass(ms: number): void
  /** Calls the scheduled callbacks; those they schedule belong to the next turn. */
  turn(): void
  /** Turns until nothing is scheduled. @returns the number of turns */
  turnAll(): number
}

export function manualEventLoop(): ManualEventLoop {
  let now = 1_000
  let callbacks: (() => void)[] = []
  const turn = () => {
    const due = callbacks
    callbacks = []
    for (const callback of due) callback()
  }
  return {
    eventLoop: { now: () => now, later: (callback) => callbacks.push(callback) },
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
