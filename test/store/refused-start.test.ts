import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { systemClock } from '#clock.ts'
import { Problem } from '#core/problem.ts'
import { spawnServer } from '#kit/server-process.ts'
import { startTcpServer } from '#kit/tcp-server.ts'
import { openStore } from '#store/engine/open.ts'
import { freshDatabase, onServer, servers } from '#support/databases.ts'
import { databases, open, type Server, skip } from './starts.ts'

/** A start that is refused says in plain words why, and what to do. */

/** A start on a database server: refusals, newer schemas, and tables of other programs. */
const canary = 'hush-4711'

/** A refused start prints one or two sentences, at once, without any secret. */
async function refusal(url: string): Promise<string> {
  const startedAt = performance.now()
  let refused: unknown
  const store = await openStore(url, { clock: systemClock, onBroken() {} }).catch((error) => {
    refused = error
  })
  await store?.[Symbol.asyncDispose]()
  assert.ok(refused instanceof Problem, `${refused}`)
  assert.ok(performance.now() - startedAt < 5_000, 'at once')
  assert.ok(!refused.message.includes(canary), refused.message)
  assert.doesNotMatch(refused.message, /\n|\bat .*:\d+:\d+/)
  return refused.message
}

const withUser = (url: string, user: string, password = '', query = '') => {
  const other = new URL(url)
  other.username = user
  other.password = password
  return other.href + query
}

/** A user of a server of this test's own, without any privilege yet. */
async function createUser(t: TestContext, server: Server): Promise<string> {
  const name = `duebell_${randomBytes(5).toString('hex')}`
  if (server === 'postgres') {
    await onServer(server, `create role ${name} login`)
    t.after(() => onServer(server, `drop role ${name}`))
  } else {
    await onServer(server, `create user ${name}@'%' identified by '${canary}'`)
    t.after(() => onServer(server, `drop user ${name}@'%'`))
  }
  return name
}

/** A PostgreSQL server that answers every login with an error. */
async function startRefusing(t: TestContext, code: string, message: string): Promise<string> {
  const { port } = await startTcpServer(t, (socket) =>
    socket.once('data', () => {
      const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`)
      const head = Buffer.alloc(5, 'E')
      head.writeInt32BE(fields.length + 4, 1)
      socket.end(Buffer.concat([head, fields]))
    }),
  )
  return `postgres://postgres:${canary}@127.0.0.1:${port}/duebell`
}

describe('a refused start says in plain words why, and what to do', () => {
  test('an invalid URL', async () => {
    const faults: [string, RegExp][] = [
      [`redis://u:${canary}@127.0.0.1/db`, /^The database URL must begin with sqlite:, postgres:\/\/ or mysql:\/\/\.$/],
      [
        `postgres://u:${canary}@127.0.0.1`,
        /^The database URL names no database: postgres:\/\/127\.0\.0\.1\/<database>\.$/,
      ],
      [
        `mysql://u:${canary}@127.0.0.1/db?sslmode=prefer`,
        /sslmode in the database URL must be disable, require or verify-full, not prefer\.$/,
      ],
      [
        `mysql://u:${canary}@127.0.0.1/db?ssl=true`,
        /has the unknown option ssl\. Known options are sslmode and sslrootcert\.$/,
      ],
      [
        `postgres://u:${canary}@127.0.0.1/db?sslmode=verify-full&sslrootcert=/no/such/file`,
        /\/no\/such\/file cannot be read\.$/,
      ],
      [`mysql://u:${canary}%@127.0.0.1/db`, /^In the database URL write .* as .*%25\.$/],
      [`mysql://u:1#${canary}@127.0.0.1/db`, /^In the database URL write /],
      [`mysql://u:1/${canary}@127.0.0.1/db`, /^In the database URL write /],
      [`mysql://u:1?${canary}@127.0.0.1/db`, /^In the database URL write /],
      [`mysql://u:1/x?${canary}@127.0.0.1/db`, /^In the database URL write /],
      [`mysql://u:1/x?sslmode=${canary}@127.0.0.1/db`, /^In the database URL write /],
      [
        `mysql://u:${canary}#1@127.0.0.1/db`,
        /^The database URL must look like scheme:\/\/user:password@host\/database\.$/,
      ],
    ]
    for (const [url, expected] of faults) assert.match(await refusal(url), expected)
  })

  test('postgres: a wrong password', async (t) => {
    const url = await startRefusing(t, '28P01', 'password authentication failed for user "postgres"')
    assert.match(
      await refusal(url),
      /^postgres:\/\/127\.0\.0\.1:\d+\/duebell refused the connection: password authentication failed for user "postgres"\. Check the user and the password in --database-url\.$/,
    )
  })

  test('postgres: a server that takes encrypted connections only', async (t) => {
    const url = await startRefusing(
      t,
      '28000',
      'no pg_hba.conf entry for host "10.0.0.9", user "u", database "d", no encryption',
    )
    assert.match(await refusal(url), /no encryption\. Add \?sslmode=require to --database-url\.$/)
  })

  test('mysql: a wrong password', { skip: skip.mysql }, async (t) => {
    const user = await createUser(t, 'mysql')
    assert.match(
      await refusal(withUser(servers.mysql, user, `${canary}-wrong`)),
      /^mysql:\/\/127\.0\.0\.1:3306\/test refused the connection: Access denied for user .+\. Check the user and the password in --database-url\.$/,
    )
  })

  for (const server of databases) {
    test(`${server}: a missing database`, { skip: skip[server] }, async () => {
      assert.match(
        await refusal(servers[server].replace(/test$/, 'duebell_no_such')),
        /duebell_no_such refused the connection: .+duebell_no_such.+\. Create the database, or name another in --database-url\.$/,
      )
    })

    test(`${server}: a missing privilege`, { skip: skip[server] }, async (t) => {
      const url = await freshDatabase(t, server)
      const user = await createUser(t, server)
      const remedy = /\. Grant this user all privileges on the database\.$/
      if (server === 'mysql') {
        assert.match(await refusal(withUser(url, user, canary)), remedy)
        await onServer(server, `grant select on ${new URL(url).pathname.slice(1)}.* to ${user}@'%'`)
      }
      assert.match(await refusal(withUser(url, user, canary)), remedy)
    })

    test(`${server}: encryption that the server does not have`, { skip: skip[server] }, async (t) => {
      const url = await freshDatabase(t, server)
      for (const mode of ['require', 'verify-full'])
        assert.match(
          await refusal(`${url}?sslmode=${mode}`),
          / refused the connection: .+\. Turn on TLS there, or leave sslmode out of --database-url\.$/,
        )
    })

    test(`${server}: a schema of a newer version, which is left as it is`, { skip: skip[server] }, async (t) => {
      const url = await freshDatabase(t, server)
      await (await open(t, url))[Symbol.asyncDispose]()
      await onServer(
        server,
        `insert into kysely_migration values ('9999-from-the-future', '2030-01-01T00:00:00Z')`,
        url,
      )
      assert.match(
        await refusal(url),
        /^The database was used by a newer Duebell: it has 9999-from-the-future, which this version does not know\. Nothing was changed\./,
      )
    })
  }

  for (const server of databases) {
    test(`${server}: another program’s table with the name of one of ours, which is not changed`, {
      skip: skip[server],
    }, async (t) => {
      const url = await freshDatabase(t, server)
      await onServer(server, 'create table tasks (id bigint, user_id bigint, uid varchar(10), notify_at bigint)', url)
      const where = `${new URL(url).protocol}//${new URL(url).host}${new URL(url).pathname}`
      assert.equal(
        await refusal(url),
        `${where} has the table tasks, and it is not Duebell's. Nothing was changed. Name another database in --database-url.`,
      )
      await onServer(server, 'insert into tasks values (1, 1, null, 1)', url) // as many columns as before
      await onServer(server, 'drop table tasks', url)
      const lines: string[] = []
      await open(t, url, lines)
      assert.deepEqual(lines, [`Created empty tables in ${where}.`])
    })

    test(`${server}: tables of other names, shared with another program, are no reason to refuse`, {
      skip: skip[server],
    }, async (t) => {
      const url = await freshDatabase(t, server)
      await onServer(server, 'create table albums (id bigint)', url)
      await open(t, url)
    })
  }

  test('postgres: tables of another schema are ignored', { skip: skip.postgres }, async (t) => {
    const url = await freshDatabase(t, 'postgres')
    await onServer('postgres', 'create schema other create table tasks (id bigint)', url)
    await open(t, url)
  })

  test('an unavailable server is waited for, then named', async () => {
    let time = 0
    const clock = { now: () => (time += 10_000), sleep: async () => {}, maxSleepMs: 1_000 }
    const lines: string[] = []
    const log = { info: (text: string) => lines.push(text), warn: (text: string) => lines.push(text), error() {} }
    for (const scheme of ['postgres', 'mysql']) {
      lines.length = 0
      await assert.rejects(
        openStore(`${scheme}://u:${canary}@127.0.0.1:1/db`, { clock, log, onBroken() {} }),
        (error) => {
          assert.ok(error instanceof Problem)
          assert.match(
            error.message,
            /^\w+:\/\/127\.0\.0\.1:1\/db does not answer: .+ECONNREFUSED.+\. Is the server running, and is --database-url right\?$/,
          )
          return !error.message.includes(canary)
        },
      )
      assert.equal(lines.length, 1)
    }
  })

  test('the process prints it in one line and exits with 2', { skip: skip.postgres }, async (t) => {
    const url = servers.postgres.replace(/test$/, 'duebell_no_such')
    const { ended, output } = spawnServer(t, ['--database-url', url])
    assert.equal((await ended).code, 2)
    assert.match(
      output.stderr,
      /^duebell: postgres:\/\/127\.0\.0\.1:5432\/duebell_no_such refused the connection: [^\n]+\n$/,
    )
  })
})
