import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

/**
 * The allowed imports. A module is a folder of src/, or a file directly in it. `type:x` allows only `import type`. Arrows point one way; a
 * new module gets its row here first.
 */
const map: Record<string, readonly string[]> = {
  core: [],
  'clock.ts': [],
  'log.ts': ['core'],
  'json-schema.ts': [],
  'ip-address.ts': [],
  store: ['core', 'type:clock.ts'],
  actions: ['core', 'store', 'clock.ts', 'channels'],
  api: ['core', 'json-schema.ts', 'channels'],
  wire: ['core', 'api', 'channels', 'type:json-schema.ts', 'type:store', 'type:actions'],
  // The parser is imported when the first text arrives; see src/operations/text-reader.ts.
  operations: ['core', 'api', 'wire', 'actions', 'store', 'quick-add'],
  'quick-add': ['core'],
  events: ['core', 'store', 'wire', 'type:api', 'type:clock.ts'],
  reminders: ['core', 'store', 'clock.ts', 'type:channels'],
  channels: ['core', 'ip-address.ts', 'json-schema.ts', 'type:clock.ts'],
  http: [
    'core',
    'api',
    'wire',
    'operations',
    'actions',
    'store',
    'channels',
    'events',
    'ip-address.ts',
    'json-schema.ts',
    'type:clock.ts',
  ],
  client: ['core', 'type:api'],
  web: ['client', 'core', 'quick-add', 'type:api'],
  metrics: ['core', 'store', 'type:clock.ts'],
  cli: ['core', 'client', 'store', 'actions', 'wire', 'http', 'config', 'type:api', 'type:clock.ts'],
  config: ['channels', 'core', 'http', 'json-schema.ts', 'log.ts'],
  startup: ['core', 'store', 'actions', 'reminders', 'channels', 'http', 'type:metrics', 'config', 'type:clock.ts'],
  'app.ts': [
    'core',
    'store',
    'actions',
    'wire',
    'events',
    'channels',
    'http',
    'metrics',
    'startup',
    'type:reminders',
    'config',
    'type:clock.ts',
    'log.ts',
  ],
  'main.ts': ['app.ts', 'cli', 'core', 'config', 'clock.ts'],
}

const root = new URL('../src/', import.meta.url)
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.test.ts'))
  .sort()
const moduleOf = (path: string) => path.split('/')[0] as string

interface Import {
  readonly specifier: string
  readonly isType: boolean
}

function importsOf(file: string): Import[] {
  const text = readFileSync(new URL(file, root), 'utf8')
  const found: Import[] = []
  for (const [, keyword, specifier] of text.matchAll(/^(?:import|export)( type)?\b[^'"]*?from '([^']+)'/gms))
    found.push({ specifier: specifier as string, isType: keyword !== undefined })
  for (const [, specifier] of text.matchAll(/(?:import|getBuiltinModule)\('([^']+)'\)/g))
    found.push({ specifier: specifier as string, isType: false })
  return found
}

test('every module imports only what the map allows', () => {
  const trespasses: string[] = []
  for (const file of files) {
    const allowed = map[moduleOf(file)]
    if (!allowed) trespasses.push(`${file}: its module is not on the map`)
    for (const { specifier, isType } of importsOf(file)) {
      if (
        specifier.startsWith('../') &&
        moduleOf(file) !== file &&
        !file.slice(moduleOf(file).length + 1).includes('/')
      )
        trespasses.push(`${file}: ${specifier} leaves its module without naming the other`)
      if (!specifier.startsWith('#')) continue
      const target = moduleOf(specifier.slice(1))
      if (target === moduleOf(file) || allowed?.includes(target) || (isType && allowed?.includes(`type:${target}`)))
        continue
      trespasses.push(`${file}: ${isType ? 'import type' : 'import'} ${specifier}`)
    }
  }
  assert.deepEqual(trespasses, [])
})

test('no files import each other in a circle', () => {
  const importsIn = (file: string) =>
    importsOf(file)
      .map(({ specifier }) => (specifier.startsWith('#') ? specifier.slice(1) : join(dirname(file), specifier)))
      .filter((name) => files.includes(name))
  const done = new Set<string>()
  const follow = (file: string, path: readonly string[]) => {
    if (path.includes(file)) assert.fail([...path.slice(path.indexOf(file)), file].join(' → '))
    if (done.has(file)) return
    for (const next of importsIn(file)) follow(next, [...path, file])
    done.add(file)
  }
  for (const file of files) follow(file, [])
})

test('the core imports nothing at all, not even Node', () => {
  for (const file of files.filter((name) => moduleOf(name) === 'core'))
    for (const { specifier } of importsOf(file))
      assert.match(specifier, file.startsWith('core/recurrence/') ? /^\.{1,2}\/[^.]/ : /^\.\//, `${file}: ${specifier}`)
})

test('only main.ts touches the process', () => {
  for (const file of files.filter((name) => name !== 'main.ts')) {
    const text = readFileSync(new URL(file, root), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')
    // A module of Node can only be used by an import, which the test above checks.
    assert.doesNotMatch(text, /\bprocess\.(?!getBuiltinModule\(')[a-z]/i, file)
  }
})

test('production code imports production dependencies; from development dependencies it imports types only', () => {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', root), 'utf8'))
  for (const file of files)
    for (const { specifier, isType } of importsOf(file)) {
      if (isType || /^(?:node:|[.#])/.test(specifier)) continue
      const [name] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) as unknown as [string]
      // The web app is bundled by a build, which a server can do without.
      const known = moduleOf(file) === 'web' ? { ...dependencies, ...optionalDependencies } : dependencies
      assert.ok(name in known, `${file}: ${specifier}`)
    }
})

test('the map has no module that does not exist', () => {
  const modules = new Set(files.map(moduleOf))
  for (const name of Object.keys(map)) assert.ok(modules.has(name), name)
})
