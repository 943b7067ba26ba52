import * as actions from '#actions/channels.ts'
import type { ChannelRecord } from '#core/channel.ts'
import { channelsOfUser, getChannel } from '#store/channels.ts'
import { toChannelWire, toKindsWire, toTestWire } from '#wire/channels.ts'
import { toEtag } from '#wire/etag.ts'
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

    async deleteChannel({ params: { id }, query, condition, caller }) {
      const isDryRun = query.dry_run === 'true'
      return { body: { id, ...(await actions.deleteChannel(ctx, caller, { id, ...condition }, { isDryRun })) } }
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
