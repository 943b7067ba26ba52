import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApp } from '#app.ts'
import type { ChannelKind } from '#channels/channel.ts'
import { consoleKind } from '#channels/console.ts'
import { webhookKind } from '#channels/webhook.ts'
import { parseConfig } from '#config/config.ts'
import { fakeClock } from '#support/fake-clock.ts'
import { createRecorder } from '#support/recording-channel.ts'
import { toCloudEvent } from '#wire/cloud-event.ts'
import { type Answer, type Described, type Document, operationsOf, optionalExample, resolve } from './document.ts'
import { type AnyOperation, allOperations } from './operations.ts'
import { type Step, storyBegins } from './story.ts'
import { headerName } from './words.ts'

/** A step and the response of a real server. */
export interface Told {
  readonly step: Step
  readonly status: number
  readonly type: string
  readonly headers: Headers
  readonly text: string
}

/**
 * Sends every request of the example scenario to a real server with a fake clock, and records the responses and the webhooks.
 * @throws if a response has another status than the scenario states
 */
export async function tell(story: readonly Step[]): Promise<{ told: Told[]; sent: unknown[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'duebell-story-'))
  const clock = fakeClock(storyBegins)
  // Besides the console, a recorder replaces the webhook. It refuses the first notification and then accepts everything.
  const hook = createRecorder('webhook')
  hook.answer = () => (hook.messages.length === 1 ? { retry: false, reason: '403 Forbidden' } : undefined)
  const catalog = [consoleKind, asWebhook(hook.kind)]
  const config = parseConfig({
    argv: ['--config=file', '--port=0', `--database-url=sqlite:${folder}/story.db`, '--log-level=warn'],
    env: {},
    readFile: () =>
      JSON.stringify({
        channels: [{ name: 'hook', kind: 'webhook', options: { url: 'https://example.org/hook', secret } }],
      }),
    systemTimeZone: 'UTC',
    catalog,
  })
  const lines: string[] = []
  const output = {
    writableLength: 0,
    write(text: string, done?: () => void) {
      lines.push(text)
      done?.()
    },
  }
  const onBroken = (error: unknown) => lines.push(String(error))
  const app = await startApp(config, { clock, output, catalog, onBroken })
  clock.whenIdle = app.idle
  const operations = new Map(allOperations().map((one) => [one.id, one]))
  const told: Told[] = []
  try {
    for (const step of story) {
      if (step.at) await clock.advanceTo(step.at)
      else await app.idle()
      const operation = operations.get(step.operation)
      if (!operation) throw new Error(`the story tells of ${step.operation}, which is no operation`)
      told.push(await ask(app.url, operation, withShown(step, told), lines))
    }
  } finally {
    clock.whenIdle = async () => {}
    await app.stop()
    rmSync(folder, { recursive: true })
  }
  const same = createSteady()
  return {
    told: told.map((one) => steady(one, same)),
    sent: hook.messages.map((message) => JSON.parse(same(JSON.stringify(toCloudEvent(message))))),
  }
}

const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'

/** The real kind, except that its messages are recorded, and its generated secrets are the same in every run. */
function asWebhook({ open }: ChannelKind): ChannelKind {
  const ownSecret = {
    member: 'secret',
    make: () => secret,
    rotate: (options: Readonly<Record<string, unknown>>, now: number) => {
      return { ...webhookKind.ownSecret?.rotate(options, now), secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }
    },
  }
  return { ...(webhookKind as ChannelKind), open, ownSecret }
}

/** Fills in values that an earlier response contained, from the latest one. */
function withShown(step: Step, told: readonly Told[]): Step {
  if (!step.shown) return step
  const found = Object.entries(step.shown).map(([name, before]) => {
    const text = told.findLast((one) => one.text.includes(before))?.text ?? ''
    return [name, text.slice(text.indexOf(before) + before.length).replace(/".*/s, '')]
  })
  return { ...step, body: { ...Object.fromEntries(found), ...(step.body as object) } }
}

async function ask(url: string, { method, path }: AnyOperation, step: Step, lines: readonly string[]): Promise<Told> {
  const { body, headers, status: expected = 200 } = step
  const response = await fetch(url + target(path, step), {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (response.status !== expected)
    throw new Error(
      `${step.operation}, «${step.shows}»: ${response.status} and not ${expected}\n${text}\n${lines.join('')}`,
    )
  const type = response.headers.get('content-type')?.replace(/;.*/, '') ?? ''
  const shown = step.lines === undefined ? text : `${text.split('\n').slice(0, step.lines).join('\n')}\n`
  return { step, status: response.status, type, headers: response.headers, text: shown }
}

function target(path: string, { path: parts = {}, query = {} }: Step): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(parts[name])))
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]))
  return pairs.length === 0 ? filled : `${filled}?${new URLSearchParams(pairs as [string, string][])}`
}

/** A key that belongs to no real key pair: the example of RFC 8292 section 2.4. */
const webPushKey = 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs'

/** Replaces random UUIDs and keys: the n-th of the scenario is the same in every run. The first bytes of a UUIDv7 are its time. */
function createSteady(): (text: string) => string {
  const time = Date.parse(storyBegins).toString(16).padStart(12, '0')
  const seen = new Map<string, string>()
  const rename = (uuid: string) => {
    const hex = createHash('sha256').update(`${seen.size}`).digest('hex')
    const first = uuid[14] === '7' ? time : hex.slice(0, 12)
    return `${first.slice(0, 8)}-${first.slice(8)}-${uuid[14]}${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  }
  return (text) =>
    text
      .replace(/(?<="web_push_key":")[^"]+/, webPushKey)
      .replace(/\b(db[lsi])_[0-9A-Za-z]{49}\b/g, (_, kind) => `${kind}_${'0'.repeat(43)}example`.slice(0, 53))
      .replace(/(?<="hint":"db[ls]_)\w+/g, '00000')
      .replace(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, (uuid) => {
        const name = seen.get(uuid) ?? rename(uuid)
        seen.set(uuid, name)
        return name
      })
}

function steady(one: Told, same: (text: string) => string): Told {
  const { step } = one
  const body = step.shown ? JSON.parse(same(JSON.stringify(step.body))) : step.body
  return { ...one, step: body === undefined ? step : { ...step, body }, text: same(one.text) }
}

/** Adds the recorded examples to the document: for each operation the request, unless it was refused, and the response, under one name. */
export function addExamples(document: Document, told: readonly Told[], sent: readonly unknown[] = []): Document {
  const full = structuredClone(document)
  for (const { post } of Object.values(full.webhooks ?? {})) {
    const media = post?.requestBody?.content['application/json']
    if (media && sent.length > 0)
      media.examples = { 'a-reminder': { summary: 'A reminder before the expiry', value: sent[0] } }
  }
  const operations = operationsOf(full)
  for (const { step, status, type, text } of told) {
    const { operation } = operations.get(step.operation) as Described
    const name = step.shows
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '')
    const example = (value: unknown) => ({ [name]: { summary: step.shows, value } })

    const given: Record<string, unknown> = { ...step.path, ...step.query }
    for (const parameter of operation.parameters ?? [])
      if ('name' in parameter && parameter.name in given) {
        if (parameter.required) parameter.example ??= given[parameter.name]
        else parameter.examples ??= { default: optionalExample(given[parameter.name]) }
      }
    const request = operation.requestBody?.content['application/json']
    if (request && step.body !== undefined && status < 400)
      request.examples = { ...request.examples, ...example(step.body) }

    const shared = operation.responses[status]
    if (!shared) throw new Error(`${step.operation} answered ${status}, which is not described`)
    const answer = '$ref' in shared ? shownByItself(resolve<Answer>(full, shared)) : shared
    operation.responses[status] = answer
    if (status === 304 || status === 204) continue
    const media = answer.content?.[type]
    if (!media) throw new Error(`${step.operation} answered ${status} as ${type}, which is not described`)
    media.examples = { ...media.examples, ...example(type.endsWith('json') ? JSON.parse(text) : text) }
  }
  return withoutUnused(full)
}

/** Copies a shared response, so that it can hold an example of one operation. */
function shownByItself(answer: Answer): Answer {
  const content = Object.entries(answer.content ?? {}).map(([type, { schema }]) => [type, { schema }])
  return { ...answer, content: Object.fromEntries(content) }
}

/** Every response of a kind may have been replaced by copies. */
function withoutUnused(document: Document): Document {
  const text = JSON.stringify(document.paths)
  const { responses } = document.components
  const used = Object.entries(responses).filter(([name]) => text.includes(`"#/components/responses/${name}"`))
  return { ...document, components: { ...document.components, responses: Object.fromEntries(used) } }
}

/** Documented headers that were missing in the recorded responses. */
export function missingHeaders(document: Document, told: readonly Told[]): string[] {
  return told.flatMap(({ step, status, headers }) => {
    const { operation } = operationsOf(document).get(step.operation) as Described
    const answer = operation.responses[status]
    const names = Object.keys(answer ? (resolve(document, answer).headers ?? {}) : {})
    return names
      .filter((name) => !headers.has(name))
      .map((name) => `${step.operation}, «${step.shows}»: ${headerName(name)}`)
  })
}
