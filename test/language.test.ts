import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/**
 * The words of this code are those of its field, so that a stranger needs no glossary (docs/glossary.md has the few that remain). This
 * keeps out the names and the openings of sentences that the code once had.
 */
const root = new URL('../src/', import.meta.url)
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .sort()

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

const comments = /\/\*\*?[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*/g
const templates = /`(?:[^`\\]|\\.)*`/g
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

/** A method of the parser is called `feed`. */
const exceptions: Readonly<Record<string, readonly string[]>> = { 'client/event-stream.ts': ['feed'] }

function faultsOf(file: string): string[] {
  const source = readFileSync(new URL(file, root), 'utf8')
  const found: string[] = []
  for (const [comment] of source.matchAll(comments))
    for (const sentence of sentencesOf(comment)) {
      if (openings.test(sentence)) found.push(`begins without its subject: ${sentence}`)
      const [pronoun] = pronouns.exec(sentence) ?? []
      if (pronoun) found.push(`«${pronoun}»: ${sentence}`)
    }
  const code = source
    .replaceAll(comments, '')
    .replaceAll(strings, "''")
    .replaceAll(templates, (text) => [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, part]) => part).join(' '))
  for (const name of new Set(code.match(/[A-Za-z_$][\w$]*/g)))
    for (const [part, instead] of forbidden)
      if (part.test(name) && !exceptions[file]?.includes(name)) found.push(`${name}: say ${instead}`)
  return found
}

test('names and comments are in the words of the field', () => {
  const faults = files.flatMap((file) => faultsOf(file).map((one) => `${file}: ${one}`))
  assert.deepEqual(faults, [])
})
