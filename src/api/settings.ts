import { operation } from './operation.ts'
import { NoQuery } from './schemas/request.ts'
import { SettingsPatchShape, SettingsShape } from './schemas/settings.ts'

const all = { tag: 'channels', query: NoQuery } as const

export const getSettings = operation({
  id: 'getSettings',
  method: 'GET',
  path: '/v1/settings',
  summary: 'Get your settings',
  description: 'What holds for all your tasks and channels.',
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
    'Time zone, default reminders and quiet hours. With another time zone or other default reminders all tasks that go by them are reminded of anew, as if they had been created so; what has fired does not fire again. `null` is as the server has it. A notification that falls into the quiet hours is delivered at their end, but never after the expiry that it announces.',
  ...all,
  scope: 'admin',
  body: SettingsPatchShape,
  response: SettingsShape,
})
