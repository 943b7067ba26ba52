import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { Context } from '#actions/context.ts'
import { findQuietHours, saveQuietHours } from '#store/owners.ts'
import type { Db } from '#store/schema.ts'
import { reminderText } from '../shapes.ts'
import { SettingsPatchShape, SettingsShape, type SettingsWire } from '../shapes-channels.ts'
import { actor, NoQuery } from './tasks.ts'

/** What holds for all tasks and channels of an owner. */
export function settingsRoutes(plain: FastifyInstance, parts: { ctx: Context; webPushKey: string }): void {
  const { ctx, webPushKey } = parts
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  async function settings(db: Db): Promise<SettingsWire> {
    const { timeZone, reminders } = ctx.defaults
    const quiet = await findQuietHours(db, actor.ownerId)
    return {
      time_zone: timeZone,
      default_reminders: reminders.map(reminderText),
      quiet_hours: quiet && { ...quiet },
      web_push_key: webPushKey,
    }
  }

  server.get(
    '/v1/settings',
    {
      schema: {
        operationId: 'getSettings',
        summary: 'What holds for all tasks and channels',
        tags: ['channels'],
        querystring: NoQuery,
        response: { 200: SettingsShape },
      },
    },
    async () => settings(ctx.db),
  )

  server.patch(
    '/v1/settings',
    {
      schema: {
        operationId: 'updateSettings',
        summary: 'Change the quiet hours',
        description:
          'A notice that falls into them is told at their end, but never after the expiry that it announces. Time zone and default reminders are those of the configuration.',
        tags: ['channels'],
        querystring: NoQuery,
        body: SettingsPatchShape,
        response: { 200: SettingsShape },
      },
    },
    async ({ body }) =>
      ctx.transact(async (tx) => {
        if (body.quiet_hours !== undefined) await saveQuietHours(tx, actor.ownerId, body.quiet_hours)
        return settings(tx)
      }),
  )
}
