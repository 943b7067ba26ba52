import type { Reply } from './requests.ts'

/** The properties of a response that the matrix of access checks. */
export interface Refusal {
  readonly status: 401 | 403
  /** The value of WWW-Authenticate. */
  readonly challenge: string | null
}

/** Checks that a refusal is a problem (RFC 9457) that says how to authenticate (RFC 6750), and sets no cookie. */
export function refusalFaults(
  { status, headers, text }: Reply,
  expected: Refusal,
  isHead: boolean,
): (string | false)[] {
  const type = headers.get('content-type') ?? 'none'
  const challenge = headers.get('www-authenticate')
  return [
    status !== expected.status && `${status} and not ${expected.status} ${text}`,
    challenge !== expected.challenge && `WWW-Authenticate is ${challenge}, not ${expected.challenge}`,
    !type.startsWith('application/problem+json') && `is ${type}`,
    headers.has('set-cookie') && 'sets a cookie',
    headers.has('etag') && 'has an ETag',
    isHead ? text !== '' && 'has a body' : problemFault(status, headers, text),
  ]
}

function problemFault(status: number, headers: Headers, text: string): string | false {
  try {
    const { type, title, detail, instance, request_id: id, status: named, ...rest } = JSON.parse(text)
    const isWhole = [type, title, detail, instance].every((member) => typeof member === 'string' && member !== '')
    if (isWhole && named === status && id === headers.get('x-request-id') && Object.keys(rest).length === 0)
      return false
  } catch {}
  return `is not the problem of a ${status}: ${text}`
}

const passing = new Set(['date', 'x-request-id', 'content-length', 'connection', 'keep-alive'])

/** A response without the parts that may differ each time: its request, and ids of created objects. */
export function withoutNames({ status, headers, text }: Reply, name: string): string {
  const lines = [...headers].filter(([header]) => !passing.has(header)).map((pair) => pair.join(': '))
  const own = new RegExp(`(?<![\\w-])${RegExp.escape(name)}(?![\\w-])`, 'g')
  const plain = [status, ...lines, text]
    .join('\n')
    .replaceAll(/"(?:request_id|instance)":"(?:[^"\\]|\\.)*",?/g, '')
    .replaceAll(own, '‹name›')
  return madeNames.reduce((result, [form, words]) => result.replaceAll(form, words), plain)
}

/** `fresh7` is how the rules name their objects. */
const madeNames: readonly [RegExp, string][] = [
  [/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '‹uuid›'],
  [/\bfresh\d+/g, '‹fresh›'],
  [/"(\w*_?id)":\d+/g, '"$1":‹id›'],
  [/(\/v1\/[a-z-]+)\/\d+/g, '$1/‹id›'],
  [/\[\d+(?:,\d+)*\]/g, '[‹ids›]'],
  [/whsec_[\w+/=]+/g, '‹secret›'],
]
