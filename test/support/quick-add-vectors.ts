import { readFileSync } from 'node:fs'
import type { QuickAddTask, Span } from '#quick-add/quick-add.ts'

/** A vector of `src/quick-add/vectors.json` with the defaults of the file filled in. */
export interface Vector {
  readonly text: string
  readonly now: string
  readonly zone: string
  readonly language: string
  readonly task: QuickAddTask
  /** The text and the field of each span, in order. */
  readonly spans: readonly (readonly [text: string, field: Span['field']])[]
  readonly notes: readonly string[]
  /** A text that looks like a date or token, and is none. */
  readonly isFalseFriend: boolean
}

interface VectorFile {
  readonly now: string
  readonly zone: string
  readonly vectors: readonly (Partial<Omit<Vector, 'isFalseFriend'>> & { text: string; false_friend?: true })[]
}

export function allVectors(): Vector[] {
  const file = JSON.parse(
    readFileSync(new URL('../../src/quick-add/vectors.json', import.meta.url), 'utf8'),
  ) as VectorFile
  return file.vectors.map(({ text, false_friend: isFalseFriend = false, ...vector }) => ({
    text,
    now: file.now,
    zone: file.zone,
    language: 'en',
    spans: [],
    notes: [],
    isFalseFriend,
    task: { title: text },
    ...vector,
  }))
}
