import { type ClientOptions, createCall } from './call.ts'
import { channelMethods } from './channel-methods.ts'
import { eventMethods } from './event-methods.ts'
import { taskMethods } from './task-methods.ts'
import { userMethods } from './user-methods.ts'

export type { ClientOptions, CollectionPrecondition, Precondition } from './call.ts'
export type { NotificationPage, NotificationQuery } from './channel-methods.ts'
export type { EventsQuery, Reset } from './event-methods.ts'
export { type ProblemDocument, ProblemError } from './problem-error.ts'
export type { DeleteFilter, ManyOptions, TaskListFilter, TaskPage, TaskQuery } from './task-methods.ts'
export { verifyWebhook, WebhookError, type WebhookEvent } from './webhook.ts'

export type DuebellClient = ReturnType<typeof createClient>

/**
 * A client of the API. Its objects have the names of the JSON.
 * @param baseUrl of the server, `http://127.0.0.1:8888`
 * @throws ProblemError from every method, for an error response; the errors of fetch, without a response
 */
export function createClient(baseUrl: string, options: ClientOptions = {}) {
  const call = createCall(baseUrl, options)
  return {
    health: () => call<{ status: string; version: string }>('GET', '/v1/health'),
    ...taskMethods(call),
    ...channelMethods(call),
    ...userMethods(call),
    ...eventMethods(call),
  }
}
