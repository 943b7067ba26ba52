import fc from 'fast-check'
import { type Document, operationsOf } from '#openapi/document.ts'
import { type AnyOperation, allOperations } from '#openapi/operations.ts'
import { type Contract, createContract, type WireAnswer } from './contract.ts'
import { describeRequest, type FuzzRequest, requests } from './fuzz-requests.ts'

export type Send = (request: FuzzRequest) => Promise<WireAnswer>

export interface FuzzOptions {
  readonly seed: number
  readonly runs: number
  /** The operations to request. Default: every operation */
  readonly operations?: readonly AnyOperation[]
  /** Ends at the first failing request, without shrinking it. */
  readonly isFirstEnough?: boolean
  /** Checks a response that keeps the contract, and returns further faults. */
  readonly look?: (request: FuzzRequest, answer: WireAnswer) => Promise<string[]>
}

/**
 * Random requests for the operations of src/api, and for those whose routes are written by hand: a third valid, including bounds; the
 * others with a fault. Each response is compared with the document. The same seed sends the same requests.
 * @throws with the seed and the smallest failing request
 * @returns the number of responses of each operation by status
 */
export async function fuzz(document: Document, send: Send, options: FuzzOptions) {
  const { seed, runs, look, isFirstEnough = false, operations: asked = allOperations() } = options
  const contract: Contract = createContract(document)
  const operations = operationsOf(document)
  const seen = new Map<string, Map<number, number>>()
  const ids = rememberIds()

  const property = fc.asyncProperty(requests(asked), async (drawn) => {
    const request = { ...drawn, target: ids.fill(drawn.target) }
    const answer = await send(request)
    ids.note(request, answer)
    const counts = seen.get(request.operation ?? 'none') ?? new Map<number, number>()
    seen.set(request.operation ?? 'none', counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1))
    const described = request.operation === undefined ? undefined : operations.get(request.operation)
    // The responses of any path (scripts/openapi/words.ts): a longer URL is refused before there is an operation.
    const isTooLong = answer.status === 431 && request.target.length > 12_000
    const faults = described && !isTooLong ? contract.faults(described, answer) : contract.refusalFaults(answer)
    if (faults.length === 0 && look) faults.push(...(await look(request, answer)))
    if (faults.length > 0)
      throw new Error(`${describeRequest(request)}\n→ ${faults.join('\n→ ')}\n${answer.text.slice(0, 500)}`)
  })
  const { failed, numRuns, errorInstance } = await fc.check(property, {
    seed,
    numRuns: runs,
    endOnFailure: isFirstEnough,
  })
  if (failed)
    throw new Error(
      `FUZZ_SEED=${seed} FUZZ_RUNS=${runs}, request ${numRuns}, made smaller:\n${(errorInstance as Error).message}`,
    )
  return seen
}

/** Ids in earlier responses, by collection: a request for an existing object needs an id that was seen. */
function rememberIds() {
  const byCollection = new Map<string, number[]>()
  return {
    fill: (target: string) =>
      target.replace(/([^/]+)\/\{(\d+)\}/g, (_, collection: string, n: string) => {
        const known = byCollection.get(collection) ?? []
        return `${collection}/${known.at(-1 - (Number(n) % Math.max(known.length, 1))) ?? Number(n) + 1}`
      }),
    note({ method, target }: FuzzRequest, { status, text }: WireAnswer) {
      const [, collection, id, below] = /^\/v1\/([^/?]+)(?:\/(\d+)(\/)?)?/.exec(target) ?? []
      if (collection === undefined) return
      const known = new Set(byCollection.get(collection))
      if (id !== undefined && (status === 404 || method === 'DELETE')) known.delete(Number(id))
      else if (status === 200 && method === 'DELETE') known.clear()
      // Objects below a task belong to another collection, or are the same task again.
      else if (status === 200 && below === undefined)
        for (const [, found] of text.slice(0, 20_000).matchAll(/\{"id":(\d+)[,}]/g)) known.add(Number(found))
      byCollection.set(collection, [...known].slice(-20))
    },
  }
}
