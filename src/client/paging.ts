interface Page {
  readonly next_cursor: string | null
}

/**
 * The items of a list, page by page.
 * @param list asks for one page
 */
export async function* iterate<Item>(
  list: (query: { limit: number; cursor: string | undefined }) => Promise<Page>,
  pageSize = 1_000,
): AsyncGenerator<Item> {
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await list({ limit: pageSize, cursor })
    // A page has one array, whatever its name.
    yield* Object.values(page).find(Array.isArray) as Item[]
    cursor = page.next_cursor
  }
}
