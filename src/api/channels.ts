import { operation } from './operation.ts'
import {
  ChannelDraftShape,
  ChannelKindsShape,
  ChannelPatchShape,
  ChannelShape,
  ChannelsShape,
  ChannelTestShape,
  ChannelTrialShape,
  DeletedChannelShape,
  SavedChannelTrialShape,
} from './schemas/channel.ts'
import { DryRunQuery, IdParams, NoQuery } from './schemas/request.ts'

const tag = 'channels' as const
const all = { tag, scope: 'admin', query: NoQuery } as const
const ofOne = { ...all, params: IdParams } as const

export const listChannelKinds = operation({
  id: 'listChannelKinds',
  method: 'GET',
  path: '/v1/channel-kinds',
  summary: 'List the kinds of channels',
  description: 'Each kind has the JSON Schema of its options.',
  ...all,
  scope: 'read',
  response: ChannelKindsShape,
})

export const listChannels = operation({
  id: 'listChannels',
  method: 'GET',
  path: '/v1/channels',
  summary: 'List channels and their health',
  ...all,
  response: ChannelsShape,
})

export const createChannel = operation({
  id: 'createChannel',
  method: 'POST',
  path: '/v1/channels',
  summary: 'Create a channel',
  description: 'If a webhook is created without a secret, the server generates one. Only this response shows it.',
  ...all,
  body: ChannelDraftShape,
  response: ChannelShape,
  requestHeaders: ['idempotency-key'],
  responseHeaders: ['etag', 'location', 'idempotency-replayed'],
  problems: ['conflict'],
})

export const getChannel = operation({
  id: 'getChannel',
  method: 'GET',
  path: '/v1/channels/{id}',
  summary: 'Get a channel and its health',
  ...ofOne,
  response: ChannelShape,
  requestHeaders: ['if-none-match'],
  responseHeaders: ['etag'],
})

export const updateChannel = operation({
  id: 'updateChannel',
  method: 'PATCH',
  path: '/v1/channels/{id}',
  summary: 'Change the given members of a channel',
  description:
    'A merge patch (RFC 7396). The console, and channels of the configuration file, can only be switched on and off.',
  ...ofOne,
  body: ChannelPatchShape,
  response: ChannelShape,
  requestHeaders: ['if-match', 'if-none-match'],
  responseHeaders: ['etag'],
  problems: ['conflict'],
})

export const deleteChannel = operation({
  id: 'deleteChannel',
  method: 'DELETE',
  path: '/v1/channels/{id}',
  summary: 'Delete a channel',
  description: 'Its deliveries stay in the history. Pending deliveries are cancelled.',
  ...ofOne,
  query: DryRunQuery,
  response: DeletedChannelShape,
  requestHeaders: ['if-match', 'if-none-match'],
  problems: ['conflict'],
})

export const rotateChannelSecret = operation({
  id: 'rotateChannelSecret',
  method: 'POST',
  path: '/v1/channels/{id}/rotate-secret',
  summary: 'Rotate the secret of a webhook',
  description: 'Only this response shows the new secret. For one day, messages are signed with the old secret as well.',
  ...ofOne,
  response: ChannelShape,
  requestHeaders: ['if-match', 'if-none-match', 'idempotency-key'],
  responseHeaders: ['etag', 'idempotency-replayed'],
  problems: ['conflict'],
})

const trial = {
  method: 'POST',
  ...all,
  response: ChannelTestShape,
  requestHeaders: ['idempotency-key'],
  responseHeaders: ['idempotency-replayed'],
  longRunning: true,
} as const

export const testChannelDraft = operation({
  id: 'testChannelDraft',
  path: '/v1/channels/test',
  summary: 'Test a channel before saving it',
  description: 'Sends a test message and returns the result. This may take 15 s.',
  ...trial,
  body: ChannelTrialShape,
})

export const testChannel = operation({
  id: 'testChannel',
  path: '/v1/channels/{id}/test',
  summary: 'Test a channel',
  description:
    'Sends a test message with the saved options, or with changed ones, and returns the result. This may take 15 s.',
  ...trial,
  params: IdParams,
  body: SavedChannelTrialShape,
  isBodyOptional: true,
  problems: ['conflict'],
})
