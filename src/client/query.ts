/** A path with a query. Members that are undefined are left out; an array repeats its parameter. */
export function withQuery(path: string, query: object): string {
  const search = new URLSearchParams()
  for (const [name, values] of Object.entries(query))
    for (const value of [values].flat()) if (value !== undefined) search.append(name, String(value))
  return search.size === 0 ? path : `${path}?${search}`
}
