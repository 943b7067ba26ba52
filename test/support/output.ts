import type { AppDeps } from '#app.ts'

/** Standard output for an app in the process of a test: each write becomes a line of the list. */
export function outputTo(lines: string[]): AppDeps['output'] {
  return {
    writableLength: 0,
    write(text: string, done?: () => void) {
      lines.push(text)
      done?.()
    },
  }
}
