import { testCrashes } from './crash-everywhere.ts'
import { advance, channel, complete, create, patch, reopen, retry } from './steps.ts'

testCrashes({
  'several are told in one message': {
    channel: { group_wait: 'PT5M' },
    before: [create('a', 60), create('b', 60), create('c', 60), create('later', 67)],
    steps: [advance(45), advance(51), advance(66)],
    notifications: ['a 45 60 sent', 'b 45 60 sent', 'c 45 60 sent', 'later 52 67 sent'],
  },
  'it is told again, until it is done': {
    channel: { repeat: { every: 'PT5M', max: 2 } },
    before: [create('heard', 60), create('unheard', 60)],
    steps: [advance(45), advance(52), complete('heard'), advance(61)],
    notifications: ['heard 45 60 sent +1', 'unheard 45 60 sent +2'],
  },
  'what was given up is told when a person asks for another try': {
    before: [create('refused', 60), channel('refusing'), advance(45)],
    steps: [channel('up'), retry, advance(61)],
    notifications: ['refused 45 60 sent'],
  },
  'a channel fails, and takes it when it is tried again': {
    before: [create('retried', 60)],
    steps: [channel('down'), advance(46), channel('up'), advance(61)],
    notifications: ['retried 45 60 sent'],
  },
  'what was dropped underway is told when it is true again': {
    before: [create('undone', 60), create('returned', 60), channel('down'), advance(45)],
    steps: [
      complete('undone'),
      patch('returned', 300),
      advance(47),
      channel('up'),
      reopen('undone'),
      patch('returned', 60),
      advance(61),
    ],
    notifications: ['returned 45 60 sent', 'undone 45 60 sent'],
  },
})
