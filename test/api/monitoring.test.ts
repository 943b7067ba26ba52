import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startTestApp } from '#support/test-app.ts'

/** The dashboard and alerts of docs/monitoring use only metrics that a server really has. */
const read = (name: string) => readFileSync(new URL(`../../docs/monitoring/${name}`, import.meta.url), 'utf8')

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
}
const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
  schemaVersion: number
  panels: Panel[]
  templating: { list: { name: string; type: string; definition?: string }[] }
}
const rules = read('prometheus-rules.yaml')

const ours = /\b(?:duebell|process|nodejs)_[a-z0-9_]+/g

/** The names of the series in a text of /metrics, with the names of the metrics themselves. */
async function names(url: string): Promise<{ series: Set<string>; families: Set<string> }> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const series = [...text.matchAll(/^([a-z_0-9]+)(?:\{| )/gm)].map(([, name]) => name as string)
  const families = [...text.matchAll(/^# TYPE ([a-z_0-9]+) /gm)].map(([, name]) => name as string)
  return { series: new Set(series), families: new Set(families) }
}

test('every metric of the dashboard and of the alerts exists', async (t) => {
  const { client, clock, url } = await startTestApp(t)
  await client.createTask({ title: 'Renew passport', expiry_dt: '2026-12-01T09:05:00Z' })
  await clock.advance(0)
  const { series } = await names(url)
  // A database that has a clock of its own.
  series.add('duebell_database_clock_skew_seconds')
  const asked = [
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.map(({ definition = '' }) => definition),
    ...[...rules.matchAll(/expr: (?:>-\n(?: {10}.*\n)+|.+)/g)].map(([expr]) => expr),
  ].flatMap((text) => text.match(ours) ?? [])
  assert.ok(asked.length > 30)
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !series.has(name)),
    [],
  )
})

test('the README documents every metric of the server, and no other', async (t) => {
  const { url } = await startTestApp(t)
  const { families } = await names(url)
  families.add('duebell_database_clock_skew_seconds')
  const documented = new Set(read('README.md').match(/(?<=^\| `)duebell_\w+/gm))
  assert.deepEqual(documented, new Set([...families].filter((name) => name.startsWith('duebell_'))))
})

test('the dashboard has its data source as a variable, and no two panels overlap', () => {
  assert.ok(dashboard.schemaVersion >= 41)
  assert.ok(dashboard.templating.list.some(({ name, type }) => name === 'datasource' && type === 'datasource'))
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const taken = new Map<string, string>()
  for (const { title, gridPos } of dashboard.panels)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(x < 24 && !taken.has(`${x} ${y}`), `«${title}» and «${taken.get(`${x} ${y}`)}»`)
        taken.set(`${x} ${y}`, title)
      }
})

test('each alert has an expression, a severity and a summary', () => {
  const alerts = rules.split(/^ {6}- alert: /m).slice(1)
  assert.ok(alerts.length >= 8)
  for (const alert of alerts)
    for (const wanted of [/^ {8}expr: \S/m, /^ {10}severity: (?:critical|warning)$/m, /^ {10}summary: \S/m])
      assert.match(alert, wanted)
})
