import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spawnServer } from '#kit/server-process.ts'
import { temporaryFolder } from '#support/databases.ts'

test('a server that is started with an empty TZ serves all users, in UTC, and warns', async (t) => {
  const { ready, output } = spawnServer(t, [`--database-url=sqlite:${temporaryFolder(t)}/tz.db`], { TZ: '' })
  const url = await ready
  assert.equal((await fetch(`${url}/v1/tasks`)).status, 200)
  assert.equal(((await (await fetch(`${url}/v1/settings`)).json()) as { time_zone: string }).time_zone, 'UTC')
  assert.equal(await (await fetch(`${url}/v1/health`)).text(), 'Healthy')
  assert.match(output.stdout, /"level":40,.*TZ=\\"\\" is not a time zone of the IANA database: times are read in UTC/)
})
