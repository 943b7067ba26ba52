import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sentence } from '#core/notification.ts'
import { refusal } from '#kit/http-requests.ts'
import { type Account, clientWith, password, startWithLogin } from '#support/accounts.ts'
import { createRecorder } from '#support/recording-channel.ts'

/**
 * A day of three users on one server, in UTC. Their reminders are due at the same instants, and they share nothing else: each has a time
 * zone, preferences and a channel of their own, of a kind that no other user has.
 *
 * ada in Paris    +01:00   an hour and a quarter of an hour before; a phone with quiet hours over lunch
 * bob in New York −05:00   a quarter of an hour before; a pager that repeats until acknowledgement
 * eve in Kolkata  +05:30   a quarter of an hour before, and at the expiry; mail, grouped for half a minute
 */
const names = ['ada', 'bob', 'eve'] as const
type Name = (typeof names)[number]
const day = '2026-12-01'
const instant = (time: string) => Date.parse(`${day}T${time}Z`)

test('a day of three users', async (t) => {
  const recorders = { ada: createRecorder('phone'), bob: createRecorder('pager'), eve: createRecorder('mail') }
  const kinds = names.map((name) => recorders[name].kind)
  const { app, root, add } = await startWithLogin(t, { startAt: `${day}T07:00:00Z`, channels: [], kinds })
  const { clock } = app
  const ada = await add('ada')
  let bob = await add('bob')
  const eve = await add('eve')
  const people: Record<Name, Account> = { ada, bob, eve }
  /** The titles of the tasks of each user, in this order. */
  const made: Record<Name, string[]> = { ada: [], bob: [], eve: [] }

  /** @param time in the time zone of the user who creates it */
  async function create({ name, client }: Account, title: string, time: string): Promise<number> {
    made[name as Name].push(title)
    return (await client.createTask({ title, expiry_dt: `${day}T${time}` })).id
  }

  /** The messages on the channel of each user since the last call, with times in the user's own zone. */
  function newMessages(): string[] {
    return names.flatMap((name) =>
      recorders[name].messages.splice(0).map((message) => {
        const items = [message, ...message.others]
        const users = items.flatMap(({ task, notification }) => [task.userId, notification.userId])
        assert.ok(
          users.every((id) => id === people[name].id),
          `${name} was told what is another’s`,
        )
        const titles = items.map(({ task }) => task.title).toSorted()
        const [, words, time] = /\) (.* at) .*?T(\d\d:\d\d)/.exec(sentence(message)) ?? []
        return `${name}: ${titles.join(' and ')} ${words} ${time}`
      }),
    )
  }

  /** Checks that until this instant no message is delivered, and then exactly these. */
  async function at(time: string, ...expected: string[]) {
    await clock.advanceTo(instant(time) - 1)
    assert.deepEqual(newMessages(), [], `before ${time}`)
    await clock.advance(1)
    assert.deepEqual(newMessages(), expected, time)
  }

  /** Checks that each user sees their own tasks, of which only the last has not fired, and that those of the others are 404. */
  async function assertEachIsAlone() {
    for (const name of names) {
      const { client, id } = people[name]
      const { tasks } = await client.listTasks()
      assert.deepEqual(
        tasks.map(({ title }) => title),
        made[name],
      )
      const ids = tasks.map(({ id }) => id)
      const notified = (await client.listNotifications()).notifications.map(({ task_id }) => task_id)
      assert.deepEqual(new Set(notified), new Set(ids.slice(0, -1)))
      const ahead = (await client.listUpcoming()).upcoming.map(({ task_id }) => task_id)
      assert.deepEqual(new Set(ahead), new Set(ids.slice(-1)))
      const { channels } = await client.listChannels()
      assert.deepEqual(
        channels.map(({ kind }) => kind),
        ['console', recorders[name].kind.kind],
      )
      for (const other of Object.values(people).filter((one) => one.id !== id)) {
        const theirs = (await other.client.listNotifications()).notifications[0] ?? assert.fail()
        assert.equal((await refusal(client.getTask(theirs.task_id))).status, 404)
        assert.equal((await refusal(client.getNotification(theirs.id))).status, 404)
        assert.equal((await refusal(client.acknowledgeNotification(theirs.id))).status, 404)
      }
    }
  }

  await t.test('07:00 — each sets their preferences, and creates the tasks for nine', async () => {
    await ada.client.updateSettings({
      time_zone: 'Europe/Paris',
      default_reminders: ['PT1H', 'PT15M'],
      quiet_hours: { from: '12:00', until: '13:30' },
    })
    await bob.client.updateSettings({ time_zone: 'America/New_York', default_reminders: ['PT15M'] })
    await eve.client.updateSettings({ time_zone: 'Asia/Kolkata', default_reminders: ['PT15M', 'PT0S'] })
    await ada.client.createChannel({ name: 'Phone', kind: 'phone' })
    await bob.client.createChannel({ name: 'Pager', kind: 'pager', repeat: { every: 'PT10M', max: 2 } })
    await eve.client.createChannel({ name: 'Mail', kind: 'mail', group_wait: 'PT30S' })
    await create(ada, 'Passport', '10:00')
    await create(bob, 'Oven', '04:00')
    await create(eve, 'Post', '14:30')
    await create(eve, 'Rent', '14:30:20')
  })

  await t.test('09:00 — each gets messages in their own time zone, as often as they chose', async () => {
    await at('08:00:00', 'ada: Passport will be expired at 10:00')
    await at('08:45:00', 'ada: Passport will be expired at 10:00', 'bob: Oven will be expired at 04:00')
    await at('08:45:30', 'eve: Post and Rent will be expired at 14:30')
    await at('08:55:00', 'bob: Oven will be expired at 04:00')
    const [seen] = (await bob.client.listNotifications()).notifications
    await bob.client.acknowledgeNotification(seen?.id ?? 0)
    await at('09:00:30', 'eve: Post and Rent is expired already at 14:30')
  })

  await t.test('12:00 — quiet hours hold back the messages of one user, and no other', async () => {
    await create(ada, 'Call', '14:00')
    const train = await create(bob, 'Train', '07:15')
    await create(eve, 'Tea', '17:45')
    await at('12:00:00', 'bob: Train will be expired at 07:15')
    await at('12:00:30', 'eve: Tea will be expired at 17:45')
    await bob.client.completeTask(train)
    await at('12:15:30', 'eve: Tea is expired already at 17:45')
    await at('12:30:00', 'ada: Call will be expired at 14:00')
    await at('12:45:00', 'ada: Call will be expired at 14:00')
  })

  await t.test('13:30 — one user is disabled; the pager keeps repeating, since it is not acknowledged', async () => {
    await create(bob, 'Medicine', '09:15')
    await clock.advanceTo(instant('13:30:00'))
    await root.client.updateUser(bob.id, { disabled: true })
    assert.equal((await refusal(bob.client.listTasks())).status, 401)
    assert.equal((await refusal(clientWith(app.url, '').signIn({ login: 'bob', password }))).status, 403)
    for (const time of ['14:00:00', '14:10:00']) await at(time, 'bob: Medicine will be expired at 09:15')
    await at('14:20:00', 'bob: Medicine is expired already at 09:15')
  })

  await t.test('14:30 — the user is enabled again, has missed nothing, and continues', async () => {
    await at('14:30:00')
    await root.client.updateUser(bob.id, { disabled: false })
    // Ended access does not return: the user signs in, and creates a new token for each program.
    assert.equal((await refusal(bob.client.listTasks())).status, 401)
    const { token } = await (await bob.page()).createToken({ name: 'after the break', scopes: ['admin'] })
    bob = {
      ...bob,
      token,
      get client() {
        return clientWith(app.url, token)
      },
    }
    people.bob = bob
    const [missed] = (await bob.client.listNotifications()).notifications
    const medicine = (await bob.client.listTasks()).tasks.at(-1)
    assert.deepEqual([missed?.task_id, missed?.fired_dt], [medicine?.id, `${day}T14:00:00.000Z`])
    await create(bob, 'Bus', '12:10')
  })

  await t.test('15:00 — no user sees data of another, or events of their changes', async () => {
    await create(ada, 'Dinner', '18:00')
    await create(eve, 'Yoga', '22:30')
    await at('15:00:00')
    await assertEachIsAlone()
    await eve.client.updateSettings({ default_reminders: ['PT5M'] })
    assert.deepEqual((await ada.client.getSettings()).default_reminders, ['PT1H', 'PT15M'])
    assert.deepEqual((await bob.client.getSettings()).default_reminders, ['PT15M'])
  })

  await t.test('16:50 — two reminders are missed during downtime: they are one notification, and late', async () => {
    await at('15:30:00')
    await app.stop()
    clock.set(instant('16:50:00'))
    await app.restart()
    await app.app.idle()
    assert.deepEqual(newMessages(), ['ada: Dinner will be expired at 18:00'])
    const dinner = (await ada.client.listTasks()).tasks.at(-1)
    const { notifications } = await ada.client.listTaskNotifications(dinner?.id ?? 0)
    assert.deepEqual(
      notifications.map(({ reminder, timing, lateness_ms }) => [reminder, timing, lateness_ms]),
      [['PT15M', 'late', 300_000]],
    )
  })

  await t.test('17:00 — and everything continues as planned', async () => {
    await at('16:55:00', 'bob: Bus will be expired at 12:10')
    await at('16:55:30', 'eve: Yoga will be expired at 22:30')
    await at('17:05:00', 'bob: Bus will be expired at 12:10')
    await bob.client.snoozeTask((await bob.client.listTasks()).tasks.at(-1)?.id ?? 0, { for: 'PT1H' })
    await at('18:05:00', 'bob: Bus is expired already at 12:10')
    await bob.client.completeTask((await bob.client.listTasks()).tasks.at(-1)?.id ?? 0)
    await clock.advanceTo(instant('23:59:59'))
    assert.deepEqual(newMessages(), [], 'the rest of the day is silent')
  })
})
