/** The results of a benchmark: how they become a table, and how they get from the child process to `run.ts`. */

/** One line of a table. `isMet` is absent if performance.md has no target for it. */
export interface Figure {
  readonly what: string
  readonly measured: string
  readonly target?: string
  readonly isMet?: boolean
}

export interface Section {
  readonly title: string
  /** How it was measured, in one or two sentences. */
  readonly note: string
  readonly figures: readonly Figure[]
}

/** Prints a section, and sends it to `run.ts` if that is the parent. The benchmark must have closed everything by then. */
export function report(section: Section): void {
  if (process.send) process.send(section)
  else console.log(toMarkdown(section))
}

export function toMarkdown({ title, note, figures }: Section): string {
  const rows = figures.map(({ what, measured, target = '', isMet }) => {
    const met = isMet === undefined ? '' : isMet ? 'yes' : '**no**'
    return `| ${what} | ${measured} | ${target} | ${met} |`
  })
  return [`## ${title}`, '', note, '', '| what | measured | target | met |', '|---|---|---|---|', ...rows, ''].join(
    '\n',
  )
}

/** Prints a line on standard error during a run. */
export function progress(text: string): void {
  console.error(`  ${text}`)
}

/** The value below which the share `q` of a sorted list lies (nearest rank). */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? quantile(sorted, 0.5) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** Formats `12,345`, `0.43`, `1.25`: three digits are as precise as the measurement. */
export function digits(value: number): string {
  const places = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: places, maximumFractionDigits: places })
}

export const count = (value: number) => value.toLocaleString('en')
