import { openStore } from '#store/engine/open.ts'
import { emptyDatabase, freshDatabase, testDatabase } from '#support/databases.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { storeSuite } from './suite.ts'

/** The one suite, on the database that this run of the tests is on. */
storeSuite(testDatabase, async (t) => {
  const url = await freshDatabase(t)
  return {
    open: (deps) => openStore(url, { clock: fakeClock(), onBroken: () => {}, ...deps }),
    empty: () => emptyDatabase(url),
  }
})
