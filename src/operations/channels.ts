import * as actions from '#actions/channels.ts'
import type { LongContext } from '#actions/context.ts'
import { changeSettings } from '#actions/defaults.ts'
import type { SettingsWire } from '#api/schemas/settings.ts'
import type { ChannelRecord } from '#core/channel.ts'
import type { Defaults } from '#core/reminder.ts'
import { channelsOfUser, getChannel } from '#store/channels.ts'
import { getPreferences } from '#store/preferences.ts'
import { toChannelWire, toKindsWire, toTestWire } from '#wire/channels.ts'
import { toEtag } from '#wire/etag.ts'
import { toSettings } from '#wire/settings.ts'
import { reminderText } from '#wire/task.ts'
import { type Handlers, inChunks } from './call.ts'

/** Channels. A response never has a secret, except for one that the server has just created. */
export function channelOperations({ ctx }: { ctx: actions.ChannelContext }) {
  const kindOf = (name: string) => ctx.kinds.find(({ kind }) => kind === name)
  const wire = (channel: ChannelRecord, shown?: string) => toChannelWire(channel, kindOf(channel.kind), shown)
  const result = (channel: ChannelRecord, shown?: string) => ({ etag: toEtag(channel), body: wire(channel, shown) })

  return {
    listChannelKinds: async () => ({ body: toKindsWire(ctx.kinds) }),

    listChannels: async ({ caller }) => ({
      body: { channels: (await channelsOfUser(ctx.db, caller.userId)).map((channel) => wire(channel)) },
    }),

    async createChannel(call) {
      const channel = await actions.createChannel({ ...ctx, ...call.ctx }, call.caller, call.body)
      const made = kindOf(channel.kind)?.ownSecret?.member
      const isMade = made !== undefined && call.body.options?.[made] === undefined
      return { ...result(channel, isMade ? made : undefined), location: `/v1/channels/${channel.id}` }
    },

    getChannel: async ({ params, caller }) => result(await getChannel(ctx.db, caller.userId, params.id)),

    async updateChannel({ params, body, condition, caller }) {
      const { name, options, enabled, tags, notifications, group_wait, repeat, ignore_quiet_hours } = body
      const patch = { name, options, enabled, tags, notifications, group_wait, repeat, ignore_quiet_hours }
      const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
      return result(await actions.updateChannel(ctx, caller, { id: params.id, ...condition }, given))
    },

    async deleteChannel({ params: { id }, condition, caller }) {
      return { body: { id, ...(await actions.deleteChannel(ctx, caller, { id, ...condition })) } }
    },

    async rotateChannelSecret(call) {
      const target = { id: call.params.id, ...call.condition }
      const channel = await actions.rotateSecret({ ...ctx, ...call.ctx }, call.caller, target)
      return result(channel, kindOf(channel.kind)?.ownSecret?.member)
    },

    testChannelDraft: inChunks(async ({ body: { kind, options = {} }, caller }) => ({
      body: toTestWire(await actions.testChannel(ctx, caller, kind, options)),
    })),

    testChannel: inChunks(async ({ params, body, caller }) => {
      const { kind, options } = await actions.savedOptions(ctx, caller, params.id, body.options)
      return { body: toTestWire(await actions.testChannel(ctx, caller, kind, options)) }
    }),
  } satisfies Handlers<
    | 'listChannelKinds'
    | 'listChannels'
    | 'createChannel'
    | 'getChannel'
    | 'updateChannel'
    | 'deleteChannel'
    | 'rotateChannelSecret'
    | 'testChannelDraft'
    | 'testChannel'
  >
}

interface SettingsDeps {
  readonly ctx: LongContext
  /** Called after a change of the user, whom authentication caches. */
  readonly onUserChanged: () => void
  readonly webPushKey: string
  /** The defaults of the server. */
  readonly defaults: Defaults
}

/** The settings of a user, for all their tasks and channels. */
export function settingsOperations({ ctx, onUserChanged, webPushKey, defaults: server }: SettingsDeps) {
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

  return {
    getSettings: async ({ caller }) => ({ body: await settings(caller.userId) }),

    async updateSettings({ body, caller }) {
      await changeSettings(ctx, caller, toSettings(body), server)
      onUserChanged()
      return { body: await settings(caller.userId) }
    },
  } satisfies Handlers<'getSettings' | 'updateSettings'>
}
