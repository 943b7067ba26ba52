import type { TestContext } from 'node:test'
import type { TaskDraftWire } from '#api/schemas/task.ts'
import type { QueryOf } from '#client/client.ts'
import { wireTo } from '#kit/http-requests.ts'
import { startTestApp } from '#support/test-app.ts'

/** Lists of tasks: filters, orders, pages that continue where they ended, and unchanged lists. */
export const startAt = '2026-12-01T09:00:00Z'

/** A server with these tasks, by their titles. */
export async function withTasks(t: TestContext, ...drafts: TaskDraftWire[]) {
  const app = await startTestApp(t, { startAt, flags: ['--time-zone=Europe/Paris', '--default-reminders='] })
  const create = (draft: TaskDraftWire) => app.client.createTask(draft)
  for (const draft of drafts) await create(draft)
  const titles = async (query: QueryOf<'listTasks'> = {}) =>
    (await app.client.listTasks(query)).tasks.map(({ title }) => title)
  return { ...app, client: app.client, url: app.url, send: wireTo(app.url), titles }
}
