/** An operation, as much of it as the client needs at run time. */
export interface OperationRow {
  readonly method: string
  /** With parameters in braces: `/v1/tasks/{id}`. */
  readonly path: string
  /** Whether a body and a query are among the arguments. The method and the path do not say it. */
  readonly body?: true
  readonly query?: true
  /** Whether the query has a cursor. */
  readonly paged?: true
  /** A response may take minutes. */
  readonly longTimeout?: true
}

/** In a query these lists are one parameter, with commas. Others, like `tag`, repeat their parameter. */
const withCommas: ReadonlySet<string> = new Set(['ids', 'types'])

/** The request of a method's arguments: path parameters, then body and query where the operation has them, then options. */
export function toRequest<Options>({ path, body, query }: OperationRow, args: readonly unknown[]) {
  let i = 0
  const filled = path.replace(/\{\w+\}/g, () => encodeURIComponent(String(args[i++])))
  const sent = body ? args[i++] : undefined
  const search = query ? args[i++] : undefined
  return { path: filled + toSearch(search ?? {}), body: sent, options: args[i] as Options | undefined }
}

/** A query, with its question mark. Members that are undefined are left out. */
function toSearch(query: object): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    const values = withCommas.has(name) && Array.isArray(value) ? value.join(',') : value
    for (const one of [values].flat()) if (one !== undefined) search.append(name, String(one))
  }
  return search.size === 0 ? '' : `?${search}`
}
