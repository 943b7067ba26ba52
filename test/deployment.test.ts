import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseConfig } from '#config/config.ts'

/** The program accepts the files for deployment, and they are as safe as the documentation says. */

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** The environment of the image, and the configuration that follows from it. */
function image(more: Record<string, string> = {}) {
  const variables = read('Dockerfile').matchAll(/^(?:ENV| {3}) (DUEBELL_\w+)=(\S+)/gm)
  const inImage = Object.fromEntries(Array.from(variables, ([, name = '', value = '']) => [name, value]))
  const env = { ...inImage, ...more }
  return parseConfig({ argv: [], env, systemTimeZone: 'UTC', readFile: () => assert.fail('no file') })
}

test('the image starts with login, and its links lead where the documented command publishes it', () => {
  const [, port, publicUrl = ''] =
    /docker run -p 127\.0\.0\.1:(\d+):8888 -e DUEBELL_PUBLIC_URL=(\S+)/.exec(read('Dockerfile')) ?? []
  const config = image({ DUEBELL_PUBLIC_URL: publicUrl })
  assert.deepEqual([config.host, config.login, config.allowAnyoneOnNetwork], ['0.0.0.0', true, false])
  assert.equal(config.publicUrl, `http://localhost:${port}`)
})

test('every server of compose.yaml starts with login, and its links lead to the published port', () => {
  const services = read('compose.yaml')
    .split(/^ {2}(?=[a-z-]+:$)/m)
    .filter((service) => service.includes('<<: *duebell'))
  assert.equal(services.length, 3)
  const published = new Set(Array.from(read('compose.yaml').matchAll(/'127\.0\.0\.1:(\d+):\d+'/g), ([, port]) => port))
  for (const service of services) {
    const own = Object.fromEntries(
      Array.from(service.matchAll(/^ {6}(DUEBELL_\w+): '?([^'\s]+)'?/gm), ([, name = '', value = '']) => [name, value]),
    )
    assert.equal(own.DUEBELL_LOGIN, 'true', 'also for an image that somebody else has made')
    const config = image(own)
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
