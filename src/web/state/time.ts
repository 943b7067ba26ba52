import { effect, signal } from '@preact/signals'
import { openTasks } from './tasks.ts'

/** Below this, a countdown shows seconds. */
export const liveMs = 15 * 60_000

/** The time now, exact to the second while a countdown is shown. Only countdowns read it. */
export const now = signal(Date.now())

/** The time now, exact to the minute, and to the second at which a task expires or begins its countdown. */
export const minute = signal(Date.now())

let timer: ReturnType<typeof setTimeout> | undefined
let boundary = 0

/** One timer for the whole page: each second while a countdown is shown, else each minute. */
export function startClock(): void {
  effect(() => {
    openTasks.value
    tick()
  })
  document.addEventListener('visibilitychange', tick)
}

function tick(): void {
  clearTimeout(timer)
  const at = Date.now()
  now.value = at
  if (at >= boundary || at < minute.peek()) minute.value = at
  const { next, isLive } = nextBoundary(at)
  boundary = next
  timer = setTimeout(tick, isLive ? 1_000 - (at % 1_000) : next - at)
}

function nextBoundary(at: number): { next: number; isLive: boolean } {
  let next = at - (at % 60_000) + 60_000
  for (const { expiry_dt } of openTasks.peek()) {
    const expiry = expiry_dt === null ? Number.POSITIVE_INFINITY : Date.parse(expiry_dt)
    if (expiry <= at) continue
    if (expiry - at <= liveMs) return { next: Math.min(next, expiry), isLive: true }
    next = Math.min(next, expiry - liveMs)
    break
  }
  return { next, isLive: false }
}
