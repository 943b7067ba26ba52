import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '#channels/catalog.ts'
import { createCanaries } from '#test/secrets/canaries.ts'
import { secretKinds, secretOptions, writeOnlyOptions } from '#test/secrets/secret-options.ts'
import { ConfigError, type ConfigSources, parseConfig } from './config.ts'
import { configSchema } from './schema.ts'

/** A secret in a wrong place of the configuration: the error says what is wrong, and never repeats it. */

type Fields = Record<string, unknown>
const members = configSchema.properties as unknown as Record<string, Fields>

const canaries = createCanaries()
const secrets = {
  databaseUrl: `postgres://me:${canaries.make('databaseUrl')}@db.example.org/duebell`,
  heartbeatUrl: `https://hc-ping.com/${canaries.make('heartbeatUrl')}`,
  oidcClientSecret: canaries.make('oidcClientSecret', (mark) => `${mark} "'\n\\ü`),
}
const channels = secretKinds.map((kind) => {
  return { name: `my ${kind}`, kind, options: secretOptions(canaries, kind, { port: 1 }, 'config') as Fields }
})
const optionsOf = (kind: string) => channels.find((channel) => channel.kind === kind)?.options ?? {}
const issuer = {
  oidcIssuer: 'https://id.example.org',
  oidcClientId: 'x',
  login: true,
  publicUrl: 'https://a.example',
}
const whole = { ...issuer, ...secrets, channels }
const values = [...Object.values(secrets), ...channels.flatMap(({ options }) => Object.values(options))]
const texts = values.filter((value) => typeof value === 'string' && canaries.findIn(value).length > 0) as string[]

interface Sources {
  readonly argv?: string[]
  readonly env?: Record<string, string>
  readonly files?: Record<string, unknown>
}

function parse({ argv = [], env = {}, files = {} }: Sources) {
  const readFile: ConfigSources['readFile'] = (path) => {
    if (!(path in files)) throw new Error('no such file')
    return typeof files[path] === 'string' ? files[path] : JSON.stringify(files[path])
  }
  return parseConfig({ argv, env, systemTimeZone: 'UTC', readFile })
}

/** The secrets that the error repeats, if the configuration is refused. */
function leaksOf(sources: Sources): unknown[] {
  try {
    parse(sources)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.ok(error.faults.length > 0)
    return canaries.findIn(error.faults.join('\n'))
  }
}
const inFile = (file: unknown) => ({ argv: ['--config=c.json'], files: { 'c.json': file } })

test('each member that may hold a secret has one, and all together are accepted', () => {
  const holding = Object.entries(members).filter(([, { writeOnly, mayHoldSecret }]) => writeOnly || mayHoldSecret)
  assert.deepEqual(holding.map(([name]) => name).sort(), Object.keys(secrets).sort())
  for (const option of writeOnlyOptions) assert.ok(canaries.has(`config: ${option}`), option)
  assert.deepEqual(parse(inFile(whole)).channels, channels)
})

test('a member with the name of a secret is one', () => {
  // A name of a queue, and the path of a file.
  const others = ['routing_key', 'tlsKey']
  const isCalledSo = (name: string) => /secret|password|token|key$/i.test(name) && !others.includes(name)
  for (const [name, member] of Object.entries(members)) if (isCalledSo(name)) assert.ok(member.writeOnly, name)
  for (const { kind, options } of catalog)
    for (const [name, member] of Object.entries((options as { properties?: Record<string, Fields> }).properties ?? {}))
      if (isCalledSo(name)) assert.ok(member.writeOnly, `${kind}.${name}`)
})

test('malformed JSON around a secret does not reveal it', () => {
  const text = JSON.stringify(whole)
  const spaced = JSON.stringify(whole, null, 2)
  for (let at = 0; at < text.length; at++)
    for (const broken of [text.slice(0, at), `${text.slice(0, at)}}${text.slice(at)}`, text.slice(at)])
      assert.deepEqual(leaksOf(inFile(broken)), [], broken)
  for (let at = 0; at < spaced.length; at += 3) assert.deepEqual(leaksOf(inFile(spaced.slice(at))), [])
  for (const one of texts)
    for (const broken of [one, `"${one}`, `{${one}`, `{"a":${one}}`, `{"a":"${one}" x}`, `["${one}",]`, `"${one}"`])
      assert.deepEqual(leaksOf(inFile(broken)), [], broken)
})

test('no member reveals a secret, whatever its type', () => {
  for (const one of texts) {
    const wraps = [one, [one], { a: one }, [{ url: one }]]
    for (const value of wraps) {
      for (const name of [...Object.keys(members), 'oidcClientSecrt', 'passwords'])
        assert.deepEqual(leaksOf(inFile({ ...whole, [name]: value })), [], `${name}: ${JSON.stringify(value)}`)
      for (const name of ['options', 'tags', 'notifications', 'group_wait', 'repeat', 'ignore_quiet_hours', 'secret'])
        assert.deepEqual(leaksOf(inFile({ channels: [{ name: 'x', kind: 'ntfy', [name]: value }] })), [], name)
      for (const kind of secretKinds)
        for (const name of [...Object.keys(optionsOf(kind)), 'passwort'])
          assert.deepEqual(
            leaksOf(inFile({ channels: [{ name: 'x', kind, options: { ...optionsOf(kind), [name]: value } }] })),
            [],
            `${kind}.${name}`,
          )
    }
  }
})

test('no flag and no variable reveals a secret', () => {
  const plain = Object.keys(members).filter((name) => name !== 'channels')
  for (const one of texts) {
    for (const argv of [[one], ['--port', '1', one], ['--databse-url', one], ['--oidc-client-secret', one], [one, one]])
      assert.deepEqual(leaksOf({ argv }), [], argv.join(' '))
    for (const name of plain) {
      const flag = `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`
      const variable = `DUEBELL_${name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`
      assert.deepEqual(leaksOf({ argv: ['--prot', '1', flag, one] }), [], flag)
      assert.deepEqual(leaksOf({ argv: ['--prot=1', `${flag}=${one}`] }), [], flag)
      for (const ending of ['', '_FILE', '_FIL', 'S'])
        assert.deepEqual(leaksOf({ env: { [variable + ending]: one, DUEBELL_PROT: '1' } }), [], variable)
    }
    assert.deepEqual(leaksOf({ env: { DUEBELL_CONFIG: JSON.stringify({ oidcClientSecret: one }) } }), [])
  }
})
