import type { TestApp } from '#support/test-app.ts'

/** What the console has said, without the time in front. */
export function notifications({ lines }: TestApp): string[] {
  return lines.filter((line) => line.includes('Your task (')).map((line) => line.slice(line.indexOf('Your task (')))
}
