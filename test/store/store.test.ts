import { openStore } from '#store/engine/open.ts'
import { emptyDatabase, freshDatabase, migratedDatabase, testDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { type FreshDatabase, storeSuite } from './suite.ts'

const databaseAt = (url: string): FreshDatabase => ({
  open: (deps) => openStore(url, { clock: fakeClock(), onBroken: () => {}, ...deps }),
  empty: () => emptyDatabase(url),
})

/** The one suite, on the database that this run of the tests is on. */
storeSuite(
  testDatabase,
  async (t) => databaseAt(await freshDatabase(t)),
  async (t) => databaseAt(await migratedDatabase(t)),
)
