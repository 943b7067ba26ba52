import { test } from 'node:test'
import { inEveryWrite, start } from './refusals.ts'

/** Bad values of members: text, times, durations, zones. */

test('text that cannot be stored unchanged, or is empty, is refused', async (t) => {
  const { refusesEach } = await start(t)
  const loneHigh = '\ud83d'
  const loneLow = 'x\udd14y'
  for (const [words, text] of [
    ['half a surrogate pair', loneHigh],
    ['the other half', loneLow],
    ['NUL', 'a\0b'],
  ] as const)
    await refusesEach([
      ...inEveryWrite(`${words} in title`, { title: text }, '/title'),
      ...inEveryWrite(`${words} in description`, { description: text }, '/description'),
      ...inEveryWrite(`${words} in key`, { key: text }, '/key'),
      ...inEveryWrite(`${words} in a tag`, { tags: ['a', text] }, '/tags/1'),
      ...inEveryWrite(`${words} in time_zone`, { time_zone: text }, '/time_zone'),
      ...inEveryWrite(`${words} in expiry_dt`, { expiry_dt: text }, '/expiry_dt'),
      ...inEveryWrite(`${words} in a reminder`, { reminders: [text] }, '/reminders/0'),
      [`${words} in uid`, 'POST', '/v1/tasks', { body: { title: 'x', uid: text } }, 422, '/uid'],
    ])
  await refusesEach([
    ...inEveryWrite('an empty title', { title: '' }, '/title'),
    ...inEveryWrite('an empty key', { key: '' }, '/key'),
    ...inEveryWrite('an empty tag', { tags: [''] }, '/tags/0'),
    ...inEveryWrite('a tag twice', { tags: ['a', 'a'] }, '/tags'),
    ['an empty uid', 'POST', '/v1/tasks', { body: { title: 'x', uid: '' } }, 422, '/uid'],
  ])
})

/** A snooze takes words: see quick-add.test.ts. */
const inWords = ['tomorrow', '5M', '15 minutes']

test('an invalid time is refused', async (t) => {
  const { refusesEach } = await start(t)
  const absurd = [
    '',
    ' ',
    'tomorrow',
    '1790000000',
    '2027-02-30',
    '2027-02-29',
    '2027-13-01',
    '2027-00-10',
    '2027-1-1',
    '2027-03',
    '2027-W10-1',
    '20270301T100000Z',
    '0000-01-01',
    '0000-01-01T00:00:00Z',
    '0001-01-01',
    '-000001-01-01T00:00:00Z',
    '+002027-03-01T10:00:00Z',
    '99999-01-01',
    '9999-12-31T23:59:59Z',
    '2027-03-01T10',
    '2027-03-01T24:00:00Z',
    '2027-03-01T10:60:00Z',
    '2027-03-01T10:00:00+25:00',
    '2027-03-01T10:00:00+1',
    '2027-03-01T10:00:00 +01:00',
    '2027-03-01T10:00:00.Z',
    '2027-03-01T10:00:00.1234567891Z',
    '2027-03-01T10:00Z[Mars/Phobos]',
    '2027-03-01T10:00[+01:00]',
    '2027-03-01T10:00[u-ca=hebrew]',
    '2027-03-01T10:00[Europe/Paris][u-ca=hebrew]',
    '2027-03-01T10:00Z ',
    `2027-03-01T10:00Z${'0'.repeat(90_000)}`,
  ]
  for (const text of absurd) {
    const words = `«${text.slice(0, 50)}»`
    await refusesEach([
      ...inEveryWrite(`expiry_dt ${words}`, { expiry_dt: text }, '/expiry_dt'),
      ['completed_dt', 'PATCH', '/v1/tasks/1', { body: { completed_dt: text } }, 422, '/completed_dt'],
      ['a reminder', 'PATCH', '/v1/tasks/1', { body: { reminders: ['PT5M', text] } }, 422, '/reminders/1'],
      ...(inWords.includes(text)
        ? []
        : [['until', 'POST', '/v1/tasks/1/snooze', { body: { until: text } }, 422, '/until'] as const]),
    ])
  }
})

test('an invalid or useless duration is refused', async (t) => {
  const { refusesEach } = await start(t)
  const absurd = [
    'P',
    'PT',
    'P1DT',
    'PT-5M',

    '+PT5M',
    'PT5',
    '5M',
    'pt15m',
    'PT15M1M', // Temporal would take the 1
    'PT1M1H',
    'P1.5D',
    'PT1.5H30M',
    'P1000000Y',
    'P3661D',
    `PT${'9'.repeat(60)}H`,
    'PT15M ',
    '15 minutes',
  ]
  for (const text of absurd)
    await refusesEach([
      ...inEveryWrite(`reminder «${text}»`, { reminders: ['PT5M', text] }, '/reminders/1'),
      ...(inWords.includes(text)
        ? []
        : [[`snooze for «${text}»`, 'POST', '/v1/tasks/1/snooze', { body: { for: text } }, 422, '/for'] as const]),
    ])
  await refusesEach([
    ...inEveryWrite('the same reminder twice', { reminders: ['PT5M', 'PT5M'] }, '/reminders'),
    ...inEveryWrite(
      'a lead that begins before the year 1',
      { expiry_dt: '0001-06-01', reminders: ['P1Y'] },
      '/reminders',
    ),
    ['snooze for no time', 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT0S' } }, 422, '/for'],
    ['snooze for less than a millisecond', 'POST', '/v1/tasks/1/snooze', { body: { for: 'PT0.0009S' } }, 422, '/for'],
    ['snooze for a month, however long', 'POST', '/v1/tasks/1/snooze', { body: { for: 'P1M' } }, 422, '/for'],
    ['snooze until what is past', 'POST', '/v1/tasks/1/snooze', { body: { until: '2020-01-01' } }, 422, '/until'],
    [
      'snooze for and until',
      'POST',
      '/v1/tasks/1/snooze',
      { body: { for: 'PT1H', until: '2027-01-01' } },
      422,
      'until',
    ],
    ['snooze for nothing', 'POST', '/v1/tasks/1/snooze', { body: {} }, 422, 'until'],
  ])
})

test('an invalid zone is refused', async (t) => {
  const { refusesEach } = await start(t)
  for (const zone of [
    '',
    ' ',
    'Mars/Phobos',
    '+01:00',
    '-05',
    'Z',
    'Europe',
    '../etc/passwd',
    '__proto__',
    'x'.repeat(101),
  ])
    await refusesEach([
      ...inEveryWrite(`«${zone.slice(0, 20)}»`, { time_zone: zone }, '/time_zone'),
      [
        'with a local time',
        'PATCH',
        '/v1/tasks/1',
        { body: { time_zone: zone, expiry_dt: '2027-01-01' } },
        422,
        '/time_zone',
      ],
    ])
})
