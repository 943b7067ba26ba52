/** The part of autocannon that is used here; it brings no types. */
declare module 'autocannon' {
  export interface Request {
    readonly method?: string
    readonly path?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }
  export interface Client {
    setRequests(requests: readonly Request[]): void
  }
  export interface Result {
    readonly '2xx': number
    readonly non2xx: number
    readonly errors: number
    /** s, to the hundredth. */
    readonly duration: number
    readonly latency: { readonly p50: number; readonly p99: number; readonly max: number }
  }
  export default function autocannon(options: {
    readonly url: string
    readonly connections: number
    /** s */
    readonly duration: number
    readonly sampleInt?: number
    readonly setupClient?: (client: Client) => void
  }): PromiseLike<Result>
}
