import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkSystemTimeZone } from './system-time-zone.ts'

/** Duebell's reading of TZ by way of Node's: Node reads the variable again whenever it is set. */
function withTz(variable: string) {
  const before = process.env.TZ
  try {
    process.env.TZ = variable
    return checkSystemTimeZone(Temporal.Now.timeZoneId(), variable)
  } finally {
    if (before === undefined) delete process.env.TZ
    else process.env.TZ = before
  }
}

describe('the time zone of the system', () => {
  for (const variable of ['Europe/Paris', ':Europe/Paris', 'posix/Europe/Paris'])
    test(`TZ=${variable} is Europe/Paris`, () => assert.deepEqual(withTz(variable), { timeZone: 'Europe/Paris' }))

  // The names of UTC in the IANA database, and its form in POSIX.1-2024, section 8.3.
  for (const variable of ['UTC', ':UTC', 'Etc/UTC', 'Zulu', 'GMT', 'UTC0', 'GMT+0'])
    test(`TZ=${variable} is UTC, without a warning`, () => {
      const { timeZone, warning } = withTz(variable)
      assert.ok(['UTC', 'GMT'].includes(timeZone), timeZone)
      assert.equal(warning, undefined)
    })

  for (const variable of [
    '',
    ':',
    'GMT+2',
    'Factory',
    '"America/Denver"',
    'Europe/Pariss',
    'europe/paris',
    'CET-1CEST',
    ' UTC',
  ])
    test(`TZ='${variable}' is UTC, with a warning that names it`, () => {
      const { timeZone, warning = '' } = withTz(variable)
      assert.equal(timeZone, 'UTC')
      assert.ok(warning.startsWith(`TZ=${JSON.stringify(variable)} is not a time zone`), warning)
    })

  test('a system without a time zone is UTC, with a warning', () => {
    const { timeZone, warning = '' } = checkSystemTimeZone('Etc/Unknown', undefined)
    assert.equal(timeZone, 'UTC')
    assert.match(warning, /^The system's time zone, Etc\/Unknown, is not a time zone .* UTC\. Set TZ, --time-zone/)
  })
})
