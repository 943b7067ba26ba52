export interface Flag {
  /** With its dashes; empty for an argument that is no flag. */
  readonly name: string
  readonly isInline: boolean
  /** Undefined without a value. In the form `--name value` it must not start with `--`. */
  readonly value: string | undefined
}

/** Reads `--name=value` or `--name value` at a position. In the second form the value is the next argument, which the caller skips. */
export function flagAt(argv: readonly string[], at: number): Flag {
  const [, name = '', inline] = /^(--[^=]+)(?:=(.*))?$/s.exec(argv[at] ?? '') ?? []
  if (inline !== undefined) return { name, isInline: true, value: inline }
  const next = argv[at + 1]
  return { name, isInline: false, value: next?.startsWith('--') ? undefined : next }
}
