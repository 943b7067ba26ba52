import { type ClientOptions, createCall } from './call.ts'
import { followEvents } from './follow-events.ts'
import type { Iterators, PageOptions, RequestOptions } from './methods.ts'
import { type OperationMethods, operations } from './operations.ts'
import { iterate } from './paging.ts'
import { type OperationRow, toRequest } from './request.ts'

export type { ClientOptions } from './call.ts'
export type { BodyOf, FilterOf, PageOptions, QueryOf, Reset } from './methods.ts'
export { type ProblemDocument, ProblemError } from './problem-error.ts'

/**
 * A method for each operation of the API, under its id. Its arguments: the parameters of the path, the body, the query, options.
 *
 *   await client.createTask({ title: 'Renew passport' })
 *   await client.updateTask(7, { tags: ['home'] }, { ifVersion: 3 })
 *   await client.listTasks({ status: 'open', tag: ['home'] })
 *
 * Every method throws a ProblemError for an error response, and the errors of fetch without a response.
 */
export interface DuebellClient extends OperationMethods, Iterators {
  /** Is the server healthy? */
  getHealth(options?: RequestOptions): Promise<{ status: string; version: string }>
}

/**
 * A client of the API. Its objects have the names of the JSON.
 * @param baseUrl of the server, `http://127.0.0.1:8888`
 */
export function createClient(baseUrl: string, options: ClientOptions = {}): DuebellClient {
  const call = createCall(baseUrl, options)
  const methods: Record<string, (...args: unknown[]) => unknown> = {
    getHealth: (options) => call('GET', '/v1/health', undefined, options as RequestOptions),
  }
  for (const [id, row] of Object.entries<OperationRow>(operations)) {
    const send = (args: readonly unknown[]) => {
      const { path, body, options } = toRequest<RequestOptions>(row, args)
      return call(row.method, path, body, { ...options, longTimeout: row.longTimeout })
    }
    methods[id] = (...args) => send(args)
    if (row.paged)
      methods[id.replace(/^list/, 'iterate')] = (...args) => {
        const before = args.slice(0, row.path.split('{').length - 1)
        const [filter, { pageSize, ...options } = {}] = args.slice(before.length) as [object?, PageOptions?]
        return iterate((page) => send([...before, { ...filter, ...page }, options]) as Promise<never>, pageSize)
      }
  }
  // These two respond with streams.
  methods.followEvents = (...args) => {
    const { path, options } = toRequest<RequestOptions>(operations.followEvents, args)
    return followEvents(call, path, options)
  }
  methods.exportUser = (...args) => {
    const { path, options } = toRequest<RequestOptions>(operations.exportUser, args)
    return call.stream(path, { accept: 'application/jsonl' }, options?.signal)
  }
  return methods as unknown as DuebellClient
}
