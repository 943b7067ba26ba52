import type { Span } from './scan.ts'

/**
 * The text without its spans. A span leaves a space, and quotation marks and backslashes leave nothing; then white space is
 * collapsed, and none stays before a punctuation mark.
 */
export function titleOf(text: string, spans: readonly Span[]): string {
  let title = ''
  let from = 0
  for (const span of spans) {
    title += text.slice(from, span.start)
    if (span.field !== 'syntax') title += ' '
    from = span.end
  }
  title += text.slice(from)
  return title
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ (?=[,;:.!?，。；：！？](?: |$))/g, '')
    .replaceAll(/(?<=[\p{Script=Han}，。]) (?=[\p{Script=Han}])/gu, '')
    .trim()
}
