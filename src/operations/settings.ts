import type { LongContext } from '#actions/context.ts'
import { changeSettings } from '#actions/defaults.ts'
import type { SettingsWire } from '#api/schemas/settings.ts'
import type { Defaults } from '#core/reminder.ts'
import { getPreferences } from '#store/preferences.ts'
import { toDefaultsWire, toSettings } from '#wire/settings.ts'
import type { Handlers } from './call.ts'

interface Deps {
  readonly ctx: LongContext
  /** Called after a change of the user, whom authentication caches. */
  readonly onUserChanged: () => void
  readonly webPushKey: string
  /** The defaults of the server. */
  readonly defaults: Defaults
}

/** The settings of a user, for all their tasks and channels. */
export function settingsOperations({ ctx, onUserChanged, webPushKey, defaults: server }: Deps) {
  async function settings(userId: number): Promise<SettingsWire> {
    const { defaults, own, quiet } = await getPreferences(ctx.db, userId)
    return {
      ...toDefaultsWire(defaults),
      quiet_hours: quiet && { ...quiet },
      is_own: {
        time_zone: own.timeZone !== null,
        default_reminders: own.reminders !== null,
        default_day_reminders: own.dayReminders !== null,
        day_time: own.dayTime !== null,
      },
      web_push_key: webPushKey,
    }
  }

  return {
    getSettings: async ({ caller }) => ({ body: await settings(caller.userId) }),

    async updateSettings({ body, caller }) {
      await changeSettings(ctx, caller, toSettings(body), server)
      onUserChanged()
      return { body: await settings(caller.userId) }
    },
  } satisfies Handlers<'getSettings' | 'updateSettings'>
}
