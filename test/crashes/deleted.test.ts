import { testCrashes } from './crash-everywhere.ts'
import { advance, channel, create, remove, removeAll, restore } from './steps.ts'

testCrashes({
  'tasks are deleted before they ring, and after': {
    before: [create('never', 60), create('fired', 60)],
    steps: [remove('never'), channel('down'), advance(45), remove('fired'), channel('up'), advance(61)],
    notifications: ['fired 45 60 cancelled'],
  },
  'tasks are deleted together, and come back around the instant they ring': {
    before: [create('early', 60), create('late', 60), create('told', 30), advance(15)],
    steps: [
      removeAll(['early', 'late', 'told']),
      advance(44),
      restore(['early', 'told']),
      advance(50),
      restore(['late']),
      advance(61),
    ],
    notifications: ['early 45 60 sent', 'late 45 60 sent', 'told 15 30 sent'],
  },
  'what was dropped underway is told when its task is restored': {
    before: [create('undone', 60), channel('down'), advance(45)],
    steps: [remove('undone'), advance(47), channel('up'), restore(['undone']), advance(61)],
    notifications: ['undone 45 60 sent'],
  },
})
