import { operation } from './operation.ts'
import { NoQuery } from './schemas/request.ts'
import { SettingsPatchShape, SettingsShape } from './schemas/settings.ts'

const all = { tag: 'channels', query: NoQuery } as const

export const getSettings = operation({
  id: 'getSettings',
  method: 'GET',
  path: '/v1/settings',
  summary: 'Get your settings',
  description: 'Returns the settings for all your tasks and channels.',
  ...all,
  scope: 'read',
  response: SettingsShape,
})

export const updateSettings = operation({
  id: 'updateSettings',
  method: 'PATCH',
  path: '/v1/settings',
  summary: 'Change your settings',
  description:
    'Changes time zone, default reminders and quiet hours; `null` restores the default of the server. A new time zone or new default reminders also apply to existing tasks that use the defaults, but reminders that have fired do not fire again. A notification during the quiet hours is delivered at their end, but never after the expiry that it announces.',
  ...all,
  scope: 'admin',
  body: SettingsPatchShape,
  response: SettingsShape,
})
