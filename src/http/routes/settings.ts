import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import type { LongContext } from '#actions/context.ts'
import { changeSettings } from '#actions/defaults.ts'
import type { Defaults } from '#core/reminder.ts'
import type { Authenticator } from '#http/auth/authenticate.ts'
import { getPreferences } from '#store/users.ts'
import { SettingsPatchShape, SettingsShape, type SettingsWire, toSettings } from '#wire/channels.ts'
import { reminderText } from '#wire/task.ts'
import { NoQuery } from './tasks.ts'

interface Parts {
  readonly ctx: LongContext
  readonly authenticator: Pick<Authenticator, 'invalidate'>
  readonly webPushKey: string
  /** What holds for who has not chosen. */
  readonly defaults: Defaults
}

/** What holds for all tasks and channels of a user. */
export function settingsRoutes(plain: FastifyInstance, { ctx, authenticator, webPushKey, defaults }: Parts): void {
  const server = plain.withTypeProvider<TypeBoxTypeProvider>()

  async function settings(userId: number): Promise<SettingsWire> {
    const { defaults, own, quiet } = await getPreferences(ctx.db, userId)
    return {
      time_zone: defaults.timeZone,
      default_reminders: defaults.reminders.map(reminderText),
      quiet_hours: quiet && { ...quiet },
      is_own: { time_zone: own.timeZone !== null, default_reminders: own.reminders !== null },
      web_push_key: webPushKey,
    }
  }

  server.get(
    '/v1/settings',
    {
      schema: {
        operationId: 'getSettings',
        needs: 'read',
        summary: 'What holds for all tasks and channels',
        tags: ['channels'],
        querystring: NoQuery,
        response: { 200: SettingsShape },
      },
    },
    async ({ actor }) => settings(actor.userId),
  )

  server.patch(
    '/v1/settings',
    {
      schema: {
        operationId: 'updateSettings',
        needs: 'admin',
        summary: 'Change time zone, default reminders and quiet hours',
        description:
          'With another time zone or other default reminders all tasks that go by them ring anew, as if they had been created so; what has fired does not ring again. `null` is as the server has it. A notification that falls into the quiet hours is told at their end, but never after the expiry that it announces.',
        tags: ['channels'],
        querystring: NoQuery,
        body: SettingsPatchShape,
        response: { 200: SettingsShape },
      },
    },
    async ({ body, actor }) => {
      await changeSettings(ctx, actor, toSettings(body), defaults)
      authenticator.invalidate()
      return settings(actor.userId)
    },
  )
}
