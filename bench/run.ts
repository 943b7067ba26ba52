import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describeMachine } from './machine.ts'
import { type Section, toMarkdown } from './report.ts'

/**
 * Runs all benchmarks, or the named ones, one after the other, each in a process of its own, and writes the results to RESULTS.md. Sections
 * of benchmarks that were not run do not change.
 */

const benchmarks = [
  'punctuality',
  'many-channels',
  'storm',
  'http',
  'lists',
  'memory',
  'restart',
  'new-defaults',
  'events',
  'isolation',
  'databases',
  'delete-all',
  'overload',
] as const
/** Sections that are written by hand, and stay as they are. */
const handWritten = ['before-and-after'] as const
const resultsPath = fileURLToPath(new URL('RESULTS.md', import.meta.url))

const head = `# Results of the benchmarks

Written by \`npm run bench\`. Targets are those of the design; a figure that misses one says so. Absolute times belong to the
machine, ratios carry over.
`

/** The existing sections of RESULTS.md, by benchmark. */
function readSections(): Map<string, string> {
  const text = existsSync(resultsPath) ? readFileSync(resultsPath, 'utf8') : ''
  const parts = text.matchAll(/<!-- ([\w-]+) -->\n(.*?)(?=<!-- [\w-]+ -->\n|$)/gs)
  return new Map([...parts].map(([, name = '', body = '']) => [name, body]))
}

async function run(name: string): Promise<Section> {
  const child = fork(fileURLToPath(new URL(`${name}.ts`, import.meta.url)))
  let section: Section | undefined
  child.on('message', (message) => {
    section = message as Section
    child.disconnect()
  })
  const [code] = await once(child, 'exit')
  if (code !== 0 || !section) throw new Error(`${name} ended with ${code} and ${section ? 'a' : 'no'} result`)
  return section
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => !benchmarks.some((one) => one === name))
if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}; there are ${benchmarks.join(', ')}`)

const machine = describeMachine()
const sections = readSections()
let failures = 0
for (const name of benchmarks) {
  if (named.length > 0 && !named.includes(name)) continue
  console.error(name)
  try {
    const section = await run(name)
    const note = `${section.note} Measured on ${new Date().toISOString().slice(0, 10)}: ${machine}.`
    const body = toMarkdown({ ...section, note })
    console.log(body)
    sections.set(name, body)
    const ordered = [...handWritten, ...benchmarks].filter((one) => sections.has(one))
    const bodies = ordered.map((one) => `<!-- ${one} -->\n${sections.get(one)?.trimEnd()}\n`)
    writeFileSync(resultsPath, [head, ...bodies].join('\n'))
  } catch (error) {
    failures++
    console.error(String(error))
  }
}
process.exitCode = failures > 0 ? 1 : 0
