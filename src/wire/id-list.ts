import { maxIds } from '#api/schemas/common.ts'
import { malformedParameter } from '#core/problem.ts'

/** @returns them in order, each once @throws Problem `malformed` naming `ids` */
export function parseIds(text: string): number[] {
  const ids = text.split(',')
  if (ids.length > maxIds || !ids.every((id) => /^[1-9]\d{0,14}$/.test(id))) {
    const detail = `must be 1 to ${maxIds} ids, separated by commas`
    throw malformedParameter('ids', detail)
  }
  return [...new Set(ids.map(Number))].sort((a, b) => a - b)
}
