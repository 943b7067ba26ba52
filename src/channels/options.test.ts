import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Problem } from '#core/problem.ts'
import { catalog } from './catalog.ts'
import type { ChannelKind } from './channel.ts'
import { emailKind } from './email.ts'
import { mask, patchOptions } from './options.ts'
import { pushoverKind } from './pushover.ts'

/** A stored secret is used only for the destination it was given for. */

interface Member {
  readonly writeOnly?: boolean
  readonly affectsSecrets?: boolean
  readonly default?: unknown
}

const membersOf = ({ options }: ChannelKind) =>
  Object.entries((options as { properties?: Record<string, Member> }).properties ?? {})
const secretsOf = (kind: ChannelKind) => membersOf(kind).flatMap(([name, { writeOnly }]) => (writeOnly ? [name] : []))
const othersOf = (kind: ChannelKind) => membersOf(kind).filter(([, { writeOnly }]) => !writeOnly)

/** Every option, each with its own value. */
const stored = (kind: ChannelKind) => Object.fromEntries(membersOf(kind).map(([name]) => [name, `stored ${name}`]))

function faultsOf(change: () => unknown): (string | undefined)[] {
  try {
    change()
    return []
  } catch (error) {
    return ((error as Problem).extras.faults ?? []).map(({ at }) => ('pointer' in at ? at.pointer : undefined))
  }
}

for (const kind of catalog.filter((kind) => secretsOf(kind).length > 0)) {
  const pointers = secretsOf(kind).map((name) => `/options/${name}`)

  test(`${kind.kind}: every option that is no secret declares whether it affects the secrets`, () => {
    for (const [name, { affectsSecrets }] of othersOf(kind)) assert.equal(typeof affectsSecrets, 'boolean', name)
  })

  for (const [name, { affectsSecrets }] of othersOf(kind)) {
    const changes = [{ [name]: 'other' }, { [name]: null }]
    if (affectsSecrets)
      test(`${kind.kind}: another ${name}, or none, requires every secret again`, () => {
        for (const change of changes) {
          const masked = Object.fromEntries(secretsOf(kind).map((secret) => [secret, mask]))
          for (const patch of [change, { ...masked, ...change }])
            assert.deepEqual(
              faultsOf(() => patchOptions(kind, stored(kind), patch)),
              pointers,
            )
          const anew = Object.fromEntries(secretsOf(kind).map((secret) => [secret, 'anew']))
          const { [name]: _, ...rest } = { ...stored(kind), ...anew }
          const after = patchOptions(kind, stored(kind), { ...anew, ...change })
          assert.deepEqual(after, change[name] === null ? rest : { ...rest, ...change })
          const removed = Object.fromEntries(secretsOf(kind).map((secret) => [secret, null]))
          assert.doesNotThrow(() => patchOptions(kind, stored(kind), { ...removed, ...change }))
        }
      })
    else
      test(`${kind.kind}: another ${name} requires no secret again`, () => {
        for (const change of changes)
          assert.deepEqual(
            faultsOf(() => patchOptions(kind, stored(kind), change)),
            [],
          )
      })
  }

  test(`${kind.kind}: options that were read can be sent back, and the secrets stay`, () => {
    const shown = { ...stored(kind), ...Object.fromEntries(secretsOf(kind).map((secret) => [secret, mask])) }
    assert.deepEqual(patchOptions(kind, stored(kind), shown), stored(kind))
  })
}

test('an absent address is the default, and setting it explicitly is no change', () => {
  const keys = { token: 'a', user: 'b' }
  const url = 'https://api.pushover.net'
  assert.deepEqual(patchOptions(pushoverKind, keys, { url }), { ...keys, url })
  assert.deepEqual(patchOptions(pushoverKind, { ...keys, url }, { url: null }), keys)
  assert.throws(() => patchOptions(pushoverKind, { ...keys, url: 'https://proxy.example' }, { url: null }), {
    kind: 'invalid',
    message:
      'Give token and user again in this request, because url changes: a stored secret is not sent to another address or with other protection.',
  })
})

test('one secret given again does not release the other', () => {
  const before = { token: 'a', user: 'b' }
  assert.deepEqual(
    faultsOf(() => patchOptions(pushoverKind, before, { url: 'https://evil.example', token: 'c' })),
    ['/options/user'],
  )
})

test('a channel without a stored secret requires none again', () => {
  const before = { host: 'a.example', from: 'a@a.example', to: ['b@a.example'] }
  const after = { ...before, host: 'b.example' }
  assert.deepEqual(patchOptions(emailKind, before, { host: 'b.example' }), after)
})

test('a kind without the declaration requires its secrets again', () => {
  const properties = { server: { type: 'string' }, key: { type: 'string', writeOnly: true } }
  const kind = { ...emailKind, options: { type: 'object', properties } } as unknown as ChannelKind
  assert.deepEqual(
    faultsOf(() => patchOptions(kind, { server: 'a', key: 'k' }, { server: 'b' })),
    ['/options/key'],
  )
})
