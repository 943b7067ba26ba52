import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Links and paths in the documentation lead somewhere: files move, and a page that names the old place misleads its reader. */
const root = fileURLToPath(new URL('..', import.meta.url))
const pages = globSync(['*.md', 'docs/**/*.md', 'bench/*.md', 'src/**/*.md'], { cwd: root }).sort()
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const withoutCode = (text: string) => text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, 'code')

/** The anchors of a page, as GitHub makes them from its headings. */
function anchorsOf(page: string): Set<string> {
  const headings = read(page)
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .matchAll(/^#+ +(.+)$/gm)
  return new Set(
    Array.from(headings, ([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  )
}

test('every relative link leads to a file, and to a heading of it', () => {
  const broken: string[] = []
  for (const page of pages)
    for (const [, link = ''] of withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      if (!existsSync(join(root, target))) broken.push(`${page}: ${link}`)
      else if (anchor !== undefined && !anchorsOf(target).has(anchor))
        broken.push(`${page}: ${link} has no such heading`)
    }
  assert.deepEqual(broken, [])
})

/**
 * The changelog is excluded, since it names files by their old names, and so are sections marked `<!-- verify: … -->`, which describe
 * another branch; merging that branch removes the mark.
 */
const sectionsOf = (page: string) =>
  page === 'CHANGELOG.md'
    ? []
    : read(page)
        .split(/^(?=#+ )/m)
        .filter((section) => !section.includes('<!-- verify:'))

const folders = 'src|test|docs|bench|scripts|\\.ci'
const parts = 'actions|channels|cli|client|config|core|events|http|metrics|quick-add|reminders|store|wire'
const partsOfHttp = 'auth|limits|listen|pages|protocol|routes'
/** `src/core/task.ts`, `core/task.ts`, and within src/http `protocol/prefer.ts`; with a star it is a pattern. */
const inRoot = new RegExp(`(?<![\\w/.-])(?:${folders})/[\\w./*-]*`, 'g')
const inSource = new RegExp(`(?<![\\w/.-])(?:${parts})/[\\w./*-]+\\.ts`, 'g')
const inHttp = new RegExp(`(?<![\\w/.-])(?:${partsOfHttp})/[\\w./*-]+\\.ts`, 'g')
const isThere = (path: string) => globSync(path.replace(/\.$/, ''), { cwd: root }).length > 0

test('every named path exists', () => {
  const missing = new Set<string>()
  let count = 0
  for (const page of pages)
    for (const section of sectionsOf(page)) {
      const named = [
        ...Array.from(section.matchAll(inRoot), ([path]) => path),
        ...Array.from(section.matchAll(inSource), ([path]) => `src/${path}`),
        ...Array.from(section.matchAll(inHttp), ([path]) => `src/http/${path}`),
      ]
      count += named.length
      // A link may also begin at its page: bench/RESULTS.md in docs/ would.
      for (const path of named)
        if (!isThere(path) && !isThere(join(dirname(page), path))) missing.add(`${page}: ${path}`)
    }
  assert.ok(count > 100, 'the patterns find the paths')
  assert.deepEqual([...missing], [])
})

test('every named npm script exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const missing: string[] = []
  for (const page of pages)
    for (const section of sectionsOf(page))
      for (const [, name = ''] of section.matchAll(/npm run (?:--silent )?([\w:-]+)/g))
        if (!(name in scripts)) missing.push(`${page}: npm run ${name}`)
  assert.deepEqual(missing, [])
})

test('every decision is listed under its title', () => {
  const listed = Array.from(read('docs/decisions/README.md').matchAll(/^(\d+)\. \[(.+)\]\((.+)\)$/gm), (match) =>
    match.slice(1, 4),
  )
  const written = globSync('docs/decisions/0*.md', { cwd: root })
    .sort()
    .map((page) => {
      const [, number, title] = /^# (\d+)\. (.+)$/m.exec(read(page)) ?? []
      return [number, title, page.slice('docs/decisions/'.length)]
    })
  assert.deepEqual(listed, written)
})
