import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wrapConnections } from '#support/failing-database.ts'
import { crashDamaged, type Damage, type Scenario, testCrashes } from './crash-everywhere.ts'
import {
  advance,
  complete,
  completeUnderKey,
  create,
  createManyUnderKey,
  createUnderKey,
  patch,
  patchAll,
  reopen,
  snooze,
} from './steps.ts'

const fire: Scenario = {
  steps: [create('ahead', 60), create('due', 10), advance(44), advance(45), advance(61)],
  notifications: ['ahead 45 60 sent', 'due -5 10 sent'],
}

const edits: Scenario = {
  before: [create('moved', 60), create('cleared', 60), create('back', 60)],
  steps: [
    patch('moved', 120),
    patch('cleared', null),
    patch('back', 300),
    patch('back', 60),
    advance(50),
    patch('back', 300),
    patch('back', 60),
    advance(105),
    patch('moved', 180),
    advance(170),
  ],
  notifications: ['back 45 60 sent', 'moved 105 120 sent', 'moved 165 180 sent'],
}

testCrashes({
  'a task is created, rings and is told': fire,
  'a task is created under an Idempotency-Key, and one is completed under If-Match': {
    before: [create('done', 60)],
    steps: [createUnderKey('once', 60), completeUnderKey('done'), createUnderKey('due', 10), advance(46)],
    notifications: ['due -5 10 sent', 'once 45 60 sent'],
  },
  'many tasks are created in one request under an Idempotency-Key': {
    steps: [createManyUnderKey({ ahead: 60, due: 10, later: 70 }), advance(46), advance(56)],
    notifications: ['ahead 45 60 sent', 'due -5 10 sent', 'later 55 70 sent'],
  },
  'the expiry moves on, and back, and away': edits,
  'many tasks are moved in one request': {
    before: [create('a', 60), create('b', 70), create('c', 80)],
    steps: [patchAll(['a', 'b', 'c'], 120), advance(80), advance(105), patchAll(['a', 'c'], 119), advance(106)],
    notifications: ['a 104 119 sent', 'a 105 120 sent', 'b 105 120 sent', 'c 104 119 sent', 'c 105 120 sent'],
  },
  'tasks are completed and reopened': {
    before: [create('done', 60), create('again', 60), create('late', 60)],
    steps: [
      complete('done'),
      complete('again'),
      complete('late'),
      reopen('again'),
      advance(45),
      reopen('late'),
      complete('again'),
      reopen('again'),
      advance(61),
    ],
    notifications: ['again 45 60 sent', 'late 45 60 sent'],
  },
  'a task is snoozed, also after its expiry': {
    before: [create('nap', 60), advance(45)],
    steps: [snooze('nap', 50), advance(51), snooze('nap', 90), advance(91)],
    notifications: ['nap 45 60 sent', 'nap 50 60 sent', 'nap 90 60 sent'],
  },
})

test('premise: without transactions this test finds lost data', async (t) => {
  const nothing = { rows: [], numAffectedRows: 0n }
  const autocommit: Damage = (dialect) =>
    wrapConnections(dialect, async (text, run) => (/^(begin|commit|rollback)/.test(text) ? (nothing as never) : run()))
  await assert.rejects(crashDamaged(t, fire, autocommit), assert.AssertionError)
})

test('premise: with a response before the commit this test finds lost data', async (t) => {
  const nothing = { rows: [], numAffectedRows: 0n }
  const lazily: Damage = (dialect) => {
    let late: (() => Promise<unknown>) | undefined
    return wrapConnections(dialect, async (text, run) => {
      if (text === 'commit') {
        late = run
        return nothing as never
      }
      if (/^begin/.test(text)) await late?.()
      return run()
    })
  }
  await assert.rejects(crashDamaged(t, edits, lazily), assert.AssertionError)
})
