import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '#config/config.ts'

/** The files by which people deploy it are accepted by the program, and are as safe as the documentation says. */

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

test('every server of compose.yaml starts with login, and its links lead to the published port', () => {
  const services = read('compose.yaml')
    .split(/^ {2}(?=[a-z-]+:$)/m)
    .filter((service) => service.includes('<<: *duebell'))
  assert.equal(services.length, 3)
  const inImage = {
    DUEBELL_HOST: '0.0.0.0',
    DUEBELL_DATABASE_URL: 'sqlite:/data/duebell.db',
    DUEBELL_LOG_FORMAT: 'json',
  }
  const published = new Set(Array.from(read('compose.yaml').matchAll(/'127\.0\.0\.1:(\d+):\d+'/g), ([, port]) => port))
  for (const service of services) {
    const own = Object.fromEntries(
      Array.from(service.matchAll(/^ {6}(DUEBELL_\w+): '?([^'\s]+)'?/gm), ([, name = '', value = '']) => [name, value]),
    )
    const env = { ...inImage, ...own }
    const config = parseConfig({ argv: [], env, systemTimeZone: 'UTC', readFile: () => assert.fail('no file') })
    assert.equal(config.login, true)
    assert.equal(config.allowAnyoneOnNetwork, false)
    const { hostname, port } = new URL(config.publicUrl)
    assert.equal(hostname, 'localhost')
    assert.ok(published.delete(port), `port ${port} is published, for one of them`)
  }
})

test('every nginx file passes on the Host with its port: without it a write from a browser is refused', () => {
  const files = readdirSync(new URL('../docs/operations', import.meta.url)).filter((name) => name.endsWith('.conf'))
  assert.ok(files.length >= 2)
  for (const text of [...files.map((name) => read(`docs/operations/${name}`)), read('docs/operations.md')]) {
    assert.match(text, /proxy_set_header Host \$http_host;/)
    assert.doesNotMatch(text, /proxy_set_header (X-Forwarded-)?Host \$host;/)
  }
})
