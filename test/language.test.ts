import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/**
 * The words of this code are those of its field, so that a stranger needs no glossary (docs/glossary.md has the few that remain). This
 * keeps out the names and the openings of sentences that the code once had.
 */
const repository = new URL('../', import.meta.url)
const root = new URL('src/', repository)
const filesIn = (folder: string) =>
  readdirSync(new URL(`${folder}/`, repository), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  )
const files = filesIn('src')
  .filter((name) => !name.endsWith('.test.ts'))
  .sort()
/** Tests and benchmarks. This file lists the forbidden words. */
const otherFiles = [
  ...filesIn('src')
    .map((name) => `src/${name}`)
    .filter((name) => name.endsWith('.test.ts')),
  ...filesIn('test').map((name) => `test/${name}`),
  ...filesIn('bench').map((name) => `bench/${name}`),
].filter((name) => name !== 'test/language.test.ts')

/** Parts of identifiers, by what to use instead. */
const forbidden: readonly [part: RegExp, instead: string][] = [
  [/^most[A-Z]|^longest[A-Z]/, 'maxX, maxXLength'],
  [/^usual[A-Z]/, 'defaultX'],
  [/InWords$/, 'formatX'],
  [/^why[A-Z]/, 'xReason'],
  [
    /^(told|said|tell|say|tells|says|unsaid|untold)$|^(tell|say|told|said)[A-Z]/,
    'notify, deliver, render, value, …Options',
  ],
  [/[Oo]wner/, 'user'],
  [/[Nn]otices?(?![a-z])/, 'notification'],
  [
    /^(rung|ring|rings|ringing|rang|bell)$|^(rung|ring|ringing|bell)[A-Z]|(?<!St)Ring(s|ing)?$|Bell$/,
    'fire, firing, fired',
  ],
  [/^(wish|wishes)$|Wish(es)?$/, 'work, operation, request, args'],
  [/^(door|doors|enter|admit|admitNow)$|Door$/, 'authenticate, authorize'],
  [/^(gate|hungry|homeless|unwanted|pump|lane|lanes|turns)$|Lane$|Gate$/, 'admission, slot, queue, orphaned, capacity'],
  [/^(habits|calm|choices)$|Habits$|Choices$/, 'notification preferences, channel settings'],
  [
    /^(letter|prose|tether|barrier|reach|outbound)$|^(Letter|Tether|Barrier|Reach|Outbound)/,
    'message text, formatting, egress policy',
  ],
  [/[Cc]onceal/, 'redact'],
  [/^(moment|Moment)$/, 'date-time input'],
  [/^(kept|keptAnswer|takeKey)$|^Kept/, 'idempotency record'],
  [/^forget[A-Z]|^shorten[A-Z]|^chores?$|Chore$/, 'purge, trim, maintenance task'],
  [/^(weighty|entrances|isMinor)$|^Entrance/, 'sensitive operations, authentication operations'],
  [/^(sealed|seal|unseal|sealer)$/, 'encrypted cookie'],
  [
    /^(feed|sink|beat|strange|edition|scattered|stretches|beyond)$/,
    'change stream, subscriber, commit sequence, after',
  ],
  [/^(dead|dropped)$/, 'failed, cancelled'],
  [/^(settle|settled|settlement)$|^Settle/, 'recordResult, result'],
  [/^(looked|lookAgain|lookAgainMs|lookedAt)$/, 'check, recheck'],
]

/** How no sentence of a comment begins. */
const openings = /^(What|Whoever|Whose|Nobody|Somebody|Anybody|Everybody|Of|He|His|Him|There to|To be)\b(?!.*\?)/
/** People are «they», «the user», «an administrator». */
const pronouns = /\b(he|him|his|himself|whoever|somebody|nobody)\b/i

/** Words that comments and titles of tests once had. */
const dialect = /\b(rings?|rang|rung|told|heard|bell|everybody|anybody)\b/i
/** How no title of a test begins. A nested title may continue the title of its suite. */
const titleOpenings = /^(what|whoever|whose|who|nobody|somebody|anybody|everybody|he|there to|to be)\b(?!.*\?)/i

const comments = /\/\*\*?[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*/g
const templates = /`(?:[^`\\]|\\.)*`/g
const regexes = /(?<=[(,=:[!&|?{}]\s*)\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g
const strings = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g

function sentencesOf(comment: string): string[] {
  const text = comment.replaceAll(/^\/\*\*?|\*\/$|^\s*\* ?|^\/\/ ?/gm, ' ')
  // Drawings are no sentences.
  if (/[─│┌└▶◀]/.test(text)) return []
  return text
    .replaceAll(/\s+/g, ' ')
    .split(/(?<=[.:;!?])\s+(?=[A-ZÀ-Ý])|@\w+ /)
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

/** A method of the parser is called `feed`; the script that records examples returns `told`; turns of the event loop are its own term. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  'client/event-stream.ts': ['feed'],
  'test/openapi/document.test.ts': ['told'],
  'test/property/fuzz.test.ts': ['turns'],
  'test/support/stop-with-fake-clock.ts': ['turns'],
}

function faultsOf(file: string): string[] {
  const source = readFileSync(new URL(file, root), 'utf8')
  const found: string[] = []
  for (const [comment] of source.matchAll(comments))
    for (const sentence of sentencesOf(comment)) {
      if (openings.test(sentence)) found.push(`begins without its subject: ${sentence}`)
      const [pronoun] = pronouns.exec(sentence) ?? []
      if (pronoun) found.push(`«${pronoun}»: ${sentence}`)
    }
  return [...found, ...nameFaultsOf(file, source)]
}

const titles =
  /\b(?:test|t\.test|c\.test)(?:\.\w+)?\(\s*(?:'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\\n]|\\.)*)")/g

/** The faults in comments and titles of a test or a benchmark. Words in backticks and in «» are quotations. */
function testTextFaultsOf(source: string): string[] {
  const found: string[] = []
  const report = (text: string, rule: RegExp) => {
    const [word] = rule.exec(text.replaceAll(/`[^`]*`|«[^»]*»|\$\{[^}]*\}/g, '')) ?? []
    if (word) found.push(`«${word}»: ${text}`)
  }
  for (const [, single, template, double] of source.matchAll(titles))
    for (const rule of [titleOpenings, pronouns, dialect]) report(single ?? template ?? double ?? '', rule)
  for (const [comment] of source.replaceAll(regexes, '//').replaceAll(titles, '').matchAll(comments))
    for (const sentence of sentencesOf(comment))
      for (const rule of [openings, pronouns, dialect]) report(sentence, rule)
  return found
}

/** The forbidden among the identifiers of a file. */
function nameFaultsOf(file: string, source: string): string[] {
  const code = source
    .replaceAll(comments, '')
    .replaceAll(regexes, '//')
    .replaceAll(strings, "''")
    .replaceAll(templates, (text) => [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, part]) => part).join(' '))
  return [...new Set(code.match(/[A-Za-z_$][\w$]*/g))]
    .filter((name) => !exceptions[file]?.includes(name))
    .flatMap((name) => forbidden.filter(([part]) => part.test(name)).map(([, instead]) => `${name}: say ${instead}`))
}

test('names and comments are in the words of the field', () => {
  const faults = files.flatMap((file) => faultsOf(file).map((one) => `${file}: ${one}`))
  assert.deepEqual(faults, [])
})

/** Words of file names only: as identifiers they are too common. */
const forbiddenInFileNames = /^(house|room|people|strangers|witness|things|outlast|everything|digest)$/

test('names in tests and benchmarks are in the same words', () => {
  const faults = otherFiles.flatMap((file) => {
    const words = (file.split('/').at(-1) ?? '').split(/[-.]/)
    const inName = words.filter(
      (word) => forbiddenInFileNames.test(word) || forbidden.some(([part]) => part.test(word)),
    )
    const names = nameFaultsOf(file, readFileSync(new URL(file, repository), 'utf8'))
    return [...inName.map((word) => `«${word}» in its name`), ...names].map((fault) => `${file}: ${fault}`)
  })
  assert.deepEqual(faults, [])
})

test('comments and titles of tests and benchmarks are in the same words', () => {
  const faults = otherFiles
    .filter((name) => !name.startsWith('src/'))
    .flatMap((file) =>
      testTextFaultsOf(readFileSync(new URL(file, repository), 'utf8')).map((one) => `${file}: ${one}`),
    )
  assert.deepEqual(faults, [])
})
