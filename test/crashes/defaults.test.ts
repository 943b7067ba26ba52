import { testCrashes } from './crash-everywhere.ts'
import { advance, channel, choose, create, restart } from './steps.ts'

testCrashes({
  'the server starts with other default reminders, and with what waited': {
    before: [
      create('default', 60),
      create('own', 61, { reminders: ['PT15M'] }),
      create('waits', 10, { reminders: ['PT15M'] }),
      channel('down'),
    ],
    steps: [restart('--default-reminders=PT30M,PT5M'), channel('up'), advance(30), advance(46), restart(), advance(61)],
    notifications: ['default 30 60 sent', 'own 46 61 sent', 'waits -5 10 sent'],
  },
  'a person chooses other default reminders, with what has fired and what waits': {
    before: [
      choose(null),
      create('default', 60),
      create('own', 61, { reminders: ['PT15M'] }),
      create('fired', 14),
      channel('down'),
      create('waits', 10),
      advance(1),
    ],
    steps: [choose(['PT30M', 'PT5M']), channel('up'), advance(30), choose(null), advance(61)],
    notifications: [
      'default 30 60 sent',
      'default 45 60 sent',
      'own 46 61 sent',
      'fired -1 14 sent',
      'fired 9 14 sent',
      'waits -5 10 sent',
      'waits 5 10 sent',
    ],
  },
})
