import type { TaskWire } from '#api/schemas/task.ts'

/** A problem document of the server (RFC 9457). */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly request_id: string
  readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[]
  /** With 412: the current task. */
  readonly current?: TaskWire
  /** With 404 for several tasks: the ids of the missing ones. */
  readonly missing?: readonly number[]
}

export class ProblemError extends Error {
  readonly status: number
  /** Seconds to wait before a retry, if the server asks for it. */
  readonly retryAfter: number | undefined
  readonly problem: ProblemDocument

  constructor(problem: ProblemDocument, retryAfter: number | undefined) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.status = problem.status
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

/**
 * The problem of an error response. A proxy may respond in its own format: the problem then has the type `about:blank` (RFC 9457 section
 * 4.2.1).
 */
export function toProblem(response: Response, text: string): ProblemDocument {
  const { status, statusText, headers, url } = response
  const document = parseObject(text)
  if (typeof document?.type === 'string' && typeof document.title === 'string') {
    const { type, title, detail = title, instance = '', request_id = headers.get('x-request-id') ?? '' } = document
    return { ...document, type, title, status, detail, instance, request_id } as ProblemDocument
  }
  const name = `${status} ${statusText}`.trim()
  return {
    type: 'about:blank',
    title: statusText || String(status),
    status,
    detail: `The response is ${name}, without a problem document of Duebell.`,
    instance: URL.parse(url)?.pathname ?? '',
    request_id: headers.get('x-request-id') ?? '',
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
