import type { TestApp } from '#support/test-app.ts'

/** The lines on the console, without the time in front. */
export function notifications({ lines }: TestApp): string[] {
  return lines.filter((line) => line.includes('Your task (')).map((line) => line.slice(line.indexOf('Your task (')))
}
