import type { TaskWire } from '#api/schemas/task.ts'

/** A problem as the server told it (RFC 9457). */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly request_id: string
  readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[]
  /** With 412: the task as it is now. */
  readonly current?: TaskWire
  /** With 404 for many: the ids of those that are not there. */
  readonly missing?: readonly number[]
}

export class ProblemError extends Error {
  readonly status: number
  /** Seconds after which another try makes sense, where the server said so. */
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
 * What an answer says that is no success. Not every one comes from the server: a proxy between answers in its own way, and then
 * a problem is made of what there is, of the type `about:blank` (RFC 9457 section 4.2.1).
 */
export function toProblem(answer: Response, text: string): ProblemDocument {
  const { status, statusText, headers, url } = answer
  const told = parseObject(text)
  if (typeof told?.type === 'string' && typeof told.title === 'string') {
    const { type, title, detail = title, instance = '', request_id = headers.get('x-request-id') ?? '' } = told
    return { ...told, type, title, status, detail, instance, request_id } as ProblemDocument
  }
  const name = `${status} ${statusText}`.trim()
  return {
    type: 'about:blank',
    title: statusText || String(status),
    status,
    detail: `The answer is ${name}, and nothing that Duebell would say.`,
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
