import { Problem } from '#core/problem.ts'
import Type from '#json-schema.ts'

/** As many ids one request may name, in its body or its query. */
export const maxIds = 1_000

/** In a query: path and headers have 16 KiB, and a thousand ids of eleven digits fit well below. */
export const IdList = Type.String({
  maxLength: 12_000,
  description: `Up to ${maxIds}, separated by commas`,
  examples: ['1,2,3'],
})

/** @returns them in order, each once @throws Problem `malformed` naming `ids` */
export function parseIds(text: string): number[] {
  const ids = text.split(',')
  if (ids.length > maxIds || !ids.every((id) => /^[1-9]\d{0,14}$/.test(id))) {
    const detail = `must be 1 to ${maxIds} ids, separated by commas`
    throw new Problem('malformed', `ids ${detail}`, { faults: [{ at: { parameter: 'ids' }, detail }] })
  }
  return [...new Set(ids.map(Number))].sort((a, b) => a - b)
}
