import type { Store } from '#store/engine/open.ts'
import { adoptServerDefaults } from '#store/preferences.ts'
import { insertUser } from '#store/user-writes.ts'

/** For tests of the store alone: the first user, and another. @returns the id of the other: 2 */
export async function addUsers({ transact }: Pick<Store, 'transact'>, { defaults = usual } = {}): Promise<number> {
  return transact(async (tx, now) => {
    await adoptServerDefaults(tx, defaults, now)
    const person = { name: 'ada', email: null, role: 'member', password: null, identity: null } as const
    return insertUser(tx, { ...person, defaults }, now)
  })
}

const usual = { reminders: ['PT15M'], dayReminders: ['PT0S'], dayTime: '09:00', timeZone: 'UTC' }
