import assert from 'node:assert/strict'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ProblemError } from '#client/client.ts'
import { smallDisk } from '#kit/small-disk.ts'
import { startTestApp } from '#support/test-app.ts'

/** Fills the remaining space, to the last block. */
function fill(folder: string): string {
  const path = join(folder, 'filler')
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(path, Buffer.alloc(bavail * bsize))
  return path
}

async function health(url: string) {
  const json = await fetch(`${url}/v1/health`, { headers: { accept: 'application/json' } })
  const { status, database } = (await json.json()) as { status: string; database: string }
  const text = await fetch(`${url}/v1/health`)
  const ready = await fetch(`${url}/readyz`)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const [, full] = /duebell_database_fault\{kind="full"\} (\d)/.exec(metrics) ?? []
  return { codes: [json.status, text.status, ready.status], text: await text.text(), status, database, full }
}

const healthy = { codes: [200, 200, 200], text: 'Healthy', status: 'healthy', database: 'ok', full: '0' }

test('a full disk: writes are refused, health says so at once, and both end once there is space, without a request', async (t) => {
  const disk = smallDisk(t, '4m')
  if (!disk) return
  const path = join(disk.folder, 'duebell.db')
  const { client, clock, url, lines, recorder } = await startTestApp(t, { flags: [`--database-url=sqlite:${path}`] })
  const { id } = await client.createTask({ title: 'Before', expiry_dt: '2026-12-01T10:00:00Z' })
  assert.deepEqual(await health(url), healthy)

  const filler = fill(disk.folder)
  let refused = 0
  let stored = 0
  for (let i = 0; i < 200 && refused < 50; i++)
    await client.createTask({ title: 'x'.repeat(400), description: 'y'.repeat(60_000) }).then(
      () => stored++,
      (error) => {
        assert.ok(error instanceof ProblemError)
        assert.deepEqual([error.status, error.message], [503, 'The disk is full: nothing was changed.'])
        refused++
      },
    )
  assert.equal(refused, 50)
  assert.equal((await client.getTask(id)).title, 'Before', 'reads go on')
  const { codes, text, status, database, full } = await health(url)
  assert.deepEqual([codes, text, status, full], [[503, 503, 503], 'Unhealthy', 'unhealthy', '1'])
  assert.match(database, /full\. Free space on the disk of .*duebell\.db\. The server continues by itself\.$/)
  const about = (words: RegExp) => lines.filter((line) => words.test(line)).length
  assert.equal(about(/The database cannot store anything: /), 1)
  assert.equal(about(/unavailable/), 1, 'one line for fifty requests')

  rmSync(filler)
  await clock.advance(2 * clock.maxSleepMs)
  assert.deepEqual(await health(url), healthy)
  assert.equal(about(/The database stores writes again; \d+ transactions failed/), 1)
  assert.deepEqual(recorder.messages.length, 1, 'the reminder has fired')
  assert.equal((await client.listTasks({ limit: 1_000 })).tasks.length, stored + 1, 'nothing that was refused is there')
})

test('a disk that is full at the start: one sentence, exit 2 and no empty file in place of the old one', async (t) => {
  const disk = smallDisk(t, '1m')
  if (!disk) return
  fill(disk.folder)
  const path = join(disk.folder, 'duebell.db')
  await assert.rejects(
    startTestApp(t, { flags: [`--database-url=sqlite:${path}`] }),
    /^Problem: The database file .*duebell\.db cannot be (?:used|created|written to).*full/,
  )
})
