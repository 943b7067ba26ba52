import type {
  ChannelDraftWire,
  ChannelKindsWire,
  ChannelPatchWire,
  ChannelsWire,
  ChannelTestWire,
  ChannelWire,
} from '#api/schemas/channel.ts'
import type { NotificationWire } from '#api/schemas/notification.ts'
import type { DeliveryState } from '#core/delivery.ts'
import type { Call, Precondition } from './call.ts'
import { withQuery } from './query.ts'

export interface NotificationPage {
  notifications: NotificationWire[]
  next_cursor: string | null
}

export interface NotificationQuery {
  readonly limit?: number
  readonly cursor?: string
  readonly status?: DeliveryState
  readonly channel_id?: number
  readonly acknowledged?: boolean
  readonly problems?: true
}

/** Methods for notifications and channels. */
export function channelMethods(call: Call) {
  return {
    notifications: (query: NotificationQuery = {}) =>
      call<NotificationPage>('GET', withQuery('/v1/notifications', query)),
    notification: (id: number) => call<NotificationWire>('GET', `/v1/notifications/${id}`),
    taskNotifications: (id: number, query: NotificationQuery = {}) =>
      call<NotificationPage>('GET', withQuery(`/v1/tasks/${id}/notifications`, query)),
    acknowledge: (id: number) => call<NotificationWire>('POST', `/v1/notifications/${id}/acknowledge`),
    acknowledgeUpTo: (id: number) =>
      call<{ acknowledged: number }>('POST', '/v1/notifications/acknowledge', { up_to: id }, { isLong: true }),
    /** Retries one failed delivery, or all of the notification. */
    retry: (id: number, deliveryId?: string) =>
      call<NotificationWire>(
        'POST',
        `/v1/notifications/${id}/retry`,
        deliveryId === undefined ? undefined : { delivery_id: deliveryId },
      ),
    /** Retries all failed deliveries of a channel. @param sinceDt only of reminders that fired since this time */
    retryChannel: (channelId: number, sinceDt?: string) =>
      call<{ retried: number }>(
        'POST',
        '/v1/notifications/retry',
        { channel_id: channelId, ...(sinceDt !== undefined && { since_dt: sinceDt }) },
        { isLong: true },
      ),
    channelKinds: () => call<ChannelKindsWire>('GET', '/v1/channel-kinds'),
    channels: () => call<ChannelsWire>('GET', '/v1/channels'),
    channel: (id: number) => call<ChannelWire>('GET', `/v1/channels/${id}`),
    /** Only this response contains a secret that the server generates. */
    createChannel: (channel: ChannelDraftWire) => call<ChannelWire>('POST', '/v1/channels', channel),
    updateChannel: (id: number, patch: ChannelPatchWire, condition?: Precondition) =>
      call<ChannelWire>('PATCH', `/v1/channels/${id}`, patch, condition),
    deleteChannel: (id: number, condition?: Precondition) =>
      call<{ id: number; cancelled: number }>('DELETE', `/v1/channels/${id}`, undefined, condition),
    rotateSecret: (id: number) => call<ChannelWire>('POST', `/v1/channels/${id}/rotate-secret`),
    /** Tests a channel before it is created. May take 15 s. */
    testChannelDraft: (kind: string, options: Record<string, unknown> = {}) =>
      call<ChannelTestWire>('POST', '/v1/channels/test', { kind, options }, { isLong: true }),
    /** Tests a channel with its options, or with changed ones. */
    testChannel: (id: number, options?: Record<string, unknown>) =>
      call<ChannelTestWire>('POST', `/v1/channels/${id}/test`, options && { options }, { isLong: true }),
  }
}
