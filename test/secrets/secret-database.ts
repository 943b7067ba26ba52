import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import mysql2 from 'mysql2/promise'
import pg from 'pg'
import { startTcpProxy } from '#kit/tcp-proxy.ts'
import { freshDatabase, onServer, type servers, testDatabase } from '#support/databases.ts'
import type { Canaries } from './canaries.ts'

/** A database whose password is a canary, and its possible failures. */
export interface SecretDatabase {
  /** The URL with the password, through a network that can break. */
  readonly url: string
  /** In the server's own process: its tables can be changed only while the server is down. */
  readonly isEmbedded: boolean
  /** Makes it unavailable, in one way after the other. */
  readonly whileAway?: (act: (how: string) => Promise<void>) => Promise<void>
  /** Another connection has locked the rows that a channel is written to. */
  readonly whileLocked?: (act: () => Promise<void>) => Promise<void>
  /** As if another program had done it. */
  withoutTables(tables: readonly string[], act: () => Promise<void>): Promise<void>
  /** The data of the server: its own secrets, and hashes of others. */
  read(): Promise<{ secrets: { name: string; value: string }[]; hashes: string[] }>
}

const ofSecrets = 'select name, value from secrets'
const ofHashes =
  'select hash as value from tokens union all select password as value from users where password is not null'

export async function openSecretDatabase(t: TestContext, canaries: Canaries): Promise<SecretDatabase> {
  const plain = await freshDatabase(t)
  if (testDatabase === 'sqlite') return embedded(plain)
  const kind = testDatabase
  const name = new URL(plain).pathname.slice(1)
  const user = `canary_${randomBytes(4).toString('hex')}`
  const password = canaries.make('config.databaseUrl', (mark) => `${mark}p@:/#?%"ü`)
  if (kind === 'postgres') {
    await onServer(kind, `create role ${user} login password '${password}'`)
    await onServer(kind, `alter database ${name} owner to ${user}`)
    t.after(() => onServer(kind, `drop role ${user}`))
  } else {
    await onServer(kind, `create user '${user}'@'127.0.0.1' identified by '${password}'`)
    await onServer(kind, `grant all on ${name}.* to '${user}'@'127.0.0.1'`)
    t.after(() => onServer(kind, `drop user '${user}'@'127.0.0.1'`))
  }
  const own = new URL(plain)
  own.username = user
  own.password = encodeURIComponent(password)
  const proxy = await startTcpProxy(t, own.href)
  const rename = async (from: string, to: string) => onServer(kind, `alter table ${from} rename to ${to}`, plain)

  return {
    url: proxy.url,
    isEmbedded: false,
    async whileAway(act) {
      for (const mode of ['refuse', 'reset', 'blackHole', 'half'] as const) {
        await proxy.set(mode)
        await act(`the network: ${mode}`)
        await proxy.set('pass')
      }
      // The end of a connection, and of a statement, by the database server itself.
      const acting = act('killed')
      await endAll(kind, plain, user)
      await acting
    },
    async whileLocked(act) {
      const holder = await connect(kind, plain)
      // Existing rows are locked, and so are the places where rows could be added.
      await holder.query(kind === 'postgres' ? 'begin; lock table channels in share mode' : 'start transaction')
      if (kind === 'mysql') await holder.query('select id from channels for update')
      await act()
      await holder.query('rollback')
      await holder.end()
    },
    async withoutTables(tables, act) {
      for (const table of tables) await rename(table, `${table}_away`)
      await act()
      for (const table of tables) await rename(`${table}_away`, table)
    },
    async read() {
      const reader = await connect(kind, plain)
      const secrets = (await reader.query(ofSecrets)) as { name: string; value: string }[]
      const hashes = (await reader.query(ofHashes)) as { value: string }[]
      await reader.end()
      return { secrets, hashes: hashes.map(({ value }) => value) }
    },
  }
}

function embedded(url: string): SecretDatabase {
  const onFile = <T>(work: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(url.replace(/^sqlite:/, ''))
    try {
      return work(database)
    } finally {
      database.close()
    }
  }
  const rename = (from: string, to: string) =>
    onFile((database) => database.exec(`alter table ${from} rename to ${to}`))
  return {
    url,
    isEmbedded: true,
    async withoutTables(tables, act) {
      for (const table of tables) rename(table, `${table}_away`)
      await act()
      for (const table of tables) rename(`${table}_away`, table)
    },
    read: async () =>
      onFile((database) => ({
        secrets: database.prepare(ofSecrets).all() as { name: string; value: string }[],
        hashes: database
          .prepare(ofHashes)
          .all()
          .map(({ value }) => String(value)),
      })),
  }
}

/** One connection, with one way of reading rows. */
async function connect(kind: keyof typeof servers, url: string) {
  if (kind === 'postgres') {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    await client.connect()
    return { query: async (text: string): Promise<unknown> => (await client.query(text)).rows, end: () => client.end() }
  }
  const client = await mysql2.createConnection({ uri: url })
  return { query: async (text: string): Promise<unknown> => (await client.query(text))[0], end: () => client.end() }
}

async function endAll(kind: keyof typeof servers, url: string, user: string): Promise<void> {
  const killer = await connect(kind, url)
  if (kind === 'postgres')
    await killer.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${user}'`)
  else await killer.query(`kill user '${user}'@'127.0.0.1'`)
  await killer.end()
}
