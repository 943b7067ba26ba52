import { globSync } from 'node:fs'
import type { TestDatabase } from '#support/databases.ts'

/**
 * Which test file runs on which database, and which run at once. SQLite runs everything. A database server runs what may differ there;
 * `npm run test:full` runs the rest there as well.
 *
 * src/…/*.test.ts   beside the file: pure rules, loops, configuration, each kind of channel
 * test/store/       one suite for every database, then what belongs to one of them: files, migrations, the start
 * test/api/         the server over HTTP: one file a resource, or a promise such as idempotency
 * test/access/      who may do what: every operation by every kind of caller
 * test/http/        sign-in with OpenID Connect, against a real provider
 * test/channels/    real brokers and mail servers, and the lists of kinds that the suites in src/channels/ run through
 * test/cli/         `duebell token create`
 * test/journeys/    time as a script: what fires and is delivered when, with restarts in between
 * test/faults/      real processes: SIGKILL, full disk, damaged file, unreachable database, frozen replicas
 * test/crashes/     a crash at each database statement
 * test/secrets/     no secret is in any output
 * test/property/    random sequences against a small model, and random requests
 * test/web/         the web app in a browser
 * test/openapi/     the document, the client and the check of compatibility
 * test/*.test.ts    the source itself: imports, words, links
 * test/kit/         tools: other processes and the network
 * test/support/     the app in the process of the test: databases, clock, accounts, a channel that records
 */
const everything = ['src/**/*.test.ts', 'test/**/*.test.ts']

/** A new file in these folders runs on each database until it is named below. */
const onServers = [
  'test/store/*.test.ts',
  'test/journeys/*.test.ts',
  'test/faults/*.test.ts',
  'test/api/*.test.ts',
  'test/access/*.test.ts',
  'test/secrets/leaks.test.ts',
]

/**
 * HTTP alone: parsing, headers, error responses, sessions, who may do what. These reach the database by statements that others run there
 * too. Measured on PostgreSQL: everything executes 535 different statements, and without these files it is 517. The 18 prepare tests, or
 * read and write other columns of the same row by its id. The crashes take minutes on a server.
 */
const inFullRunsOnly = [
  'test/api/{action-links,body-limits,channel-secrets,cors,ended-access,events,export,follower-limits,foreign-pages}.test.ts',
  'test/api/{health,monitoring,notifications,original-contract,original-notifications,proxies,quick-add,rate-limits,security-headers,session-only}.test.ts',
  'test/api/{sign-in,sign-in-oidc,tls,token-children,unix-socket,upcoming,users}.test.ts',
  'test/access/access.test.ts',
  'test/crashes/{channels,defaults,deleted,tasks}.test.ts',
]

/** They need no database, bring their own servers, or test files. */
const neverOnServers = [
  'test/api/{docs,origin-check,refused-bodies,refused-requests,refused-values,sign-in-pages}.test.ts',
  'test/faults/{damaged,database-away,floods,full-disk,kill,npm,replicas,shutdown,slow-connections}.test.ts',
  'test/store/{refused-start,sqlite,sqlite-file,start,start-time-zone,storage}.test.ts',
]

export function filesFor(database: TestDatabase, isFull: boolean): string[] {
  if (database === 'sqlite') return globSync(everything).sort()
  const files = new Set(globSync(onServers))
  for (const file of globSync(inFullRunsOnly))
    if (isFull) files.add(file)
    else files.delete(file)
  for (const file of globSync(neverOnServers)) files.delete(file)
  return [...files].sort()
}

/** Each of these takes as long as ten others, so they begin first: otherwise a phase would end with one of them alone. */
const longest = [
  'test/faults/replicas.test.ts',
  'test/faults/database-away.test.ts',
  'test/faults/shutdown.test.ts',
  'test/secrets/leaks.test.ts',
  'test/faults/followers.test.ts',
  'test/property/fuzz.test.ts',
  'test/crashes/tasks.test.ts',
]

/** The position of some files in the queue of their phase. */
export function rank(files: readonly string[]): number {
  const places = files.map((file) => longest.indexOf(file)).filter((place) => place >= 0)
  return Math.min(longest.length, ...places)
}

/** Files that run at the same time; one phase follows the other. */
export interface Phase {
  readonly name: string
  readonly has: (file: string) => boolean
  readonly atOnce: (cores: number) => number
  /**
   * The number of files that one process runs, one after the other: loading the server takes 0.4 s of CPU each time, and the first tests
   * are slow.
   */
  readonly filesOfProcess: (file: string) => number
}

const isFault = (file: string) => /^test\/(faults\/|secrets\/leaks)/.test(file)
/** They measure by the machine's clock, so they do not run beside files that keep it busy. */
const isTimed = (file: string) => /\/faults\/(kill|replicas|database-away|slow-connections)\.test\.ts$/.test(file)

export const phases: readonly Phase[] = [
  {
    name: 'on clocks of their own',
    has: (file) => !isFault(file),
    // One more than there are cores: files on a server wait for its disk.
    atOnce: (cores) => cores + 1,
    // A file with crashes or random input takes as long as ten others; one trusts another certificate in its whole process.
    filesOfProcess: (file) => (/^test\/(crashes|property)\/|\/floods\.test/.test(file) ? 1 : 8),
  },
  {
    name: 'of faults, which wait',
    has: (file) => isFault(file) && !isTimed(file),
    atOnce: () => 4,
    filesOfProcess: () => 1,
  },
  {
    name: 'of kills and frozen replicas, which take time by the clock',
    has: isTimed,
    // The replicas take as long as the others together, and a third of a core. Running them alone took twice as long.
    atOnce: () => 2,
    filesOfProcess: () => 1,
  },
]
