import { testCrashes } from './crash-everywhere.ts'
import { advance, completeFirst, create, reopenFirst } from './steps.ts'

/** It expired a day before minute 20, so that the next one fires after five minutes and not after a day. */
const rent = create('rent', 20 - 1_440, { recurrence: { rule: 'FREQ=DAILY' } })

testCrashes({
  'a recurring task is completed, and the next one rings': {
    before: [rent],
    steps: [completeFirst('rent'), advance(6)],
    notifications: ['rent -1435 -1420 sent', 'rent 2 5 20 sent'],
  },
  'a recurring task is completed and reopened, which takes the next one back': {
    before: [rent],
    steps: [completeFirst('rent'), reopenFirst('rent'), advance(6), completeFirst('rent'), advance(7)],
    notifications: ['rent -1435 -1420 sent', 'rent 2 5 20 sent'],
  },
})
