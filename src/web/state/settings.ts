import { signal } from '@preact/signals'
import type { SessionWire } from '#api/schemas/account.ts'
import type { SettingsWire } from '#api/schemas/settings.ts'
import { client } from './client.ts'

/** The settings of the user; null until they are loaded. */
export const settings = signal<SettingsWire | null>(null)
/** Who is signed in; null until it is loaded. */
export const session = signal<SessionWire | null>(null)

const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** The zone of all dates: that of the settings. */
export const zone = () => settings.value?.time_zone ?? browserZone

export async function loadSettings(): Promise<void> {
  const [own, caller] = await Promise.all([client.getSettings(), client.getSession()])
  settings.value = own
  session.value = caller
}
