import type { TestContext } from 'node:test'
import type { Channel, ChannelDeps } from '#channels/channel.ts'
import { discordKind } from '#channels/discord.ts'
import { gotifyKind } from '#channels/gotify.ts'
import { matrixKind } from '#channels/matrix.ts'
import { mattermostKind } from '#channels/mattermost.ts'
import { ntfyKind } from '#channels/ntfy.ts'
import { pushoverKind } from '#channels/pushover.ts'
import { slackKind } from '#channels/slack.ts'
import { teamsKind } from '#channels/teams.ts'
import { telegramKind } from '#channels/telegram.ts'
import { webhookKind } from '#channels/webhook.ts'
import type { Message } from '#core/notification.ts'
import { channelDeps } from './peers.ts'

/** A kind that uses HTTP, and the parts of its API that tests need. Every secret contains «canary». */
export interface Subject {
  readonly kind: string
  open(url: string, deps: ChannelDeps): Promise<Channel>
  readonly secrets: readonly string[]
  /** An error response of the API with this text; null if nothing of a response is repeated. */
  readonly refusal: ((words: string) => string) | null
  /** The visible text of a body. Its escapes are undone by code that is independent of the kind. */
  read(body: Readonly<Record<string, unknown>>): string
}

const token30 = 'canaryToken0123456789012345678'
const user30 = 'canaryUser01234567890123456789'
const botToken = '123456:canaryBotToken_01234567890'
const hook = '/services/T00/canaryTeam0/canaryHookKey'
const hookSecrets = ['canaryTeam0', 'canaryHookKey']

const unescapeHtml = (text: string) =>
  text
    .replaceAll('<br>', '\n')
    .replace(/<\/?(?:strong|a)[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
const unescapeMarkdown = (text: string) => text.replace(/\\([!-/:-@[-`{-~])/g, '$1')

export const subjects: readonly Subject[] = [
  {
    kind: 'webhook',
    open: (url, deps) => webhookKind.open({ url: url + hook, secret: 'whsec_canaryKGYqrTwjUPD8ILPZIo2LaLaSwA' }, deps),
    secrets: [...hookSecrets, 'whsec_canaryKGYqrTwjUPD8ILPZIo2LaLaSwA'],
    refusal: null,
    read: ({ data }) => (data as { task: { title: string } }).task.title,
  },
  {
    kind: 'ntfy',
    open: (url, deps) => ntfyKind.open({ url, topic: 'tasks', token: 'tk_canary0123456789' }, deps),
    secrets: ['tk_canary0123456789'],
    refusal: (error) => JSON.stringify({ code: 40000, http: 400, error, link: 'https://ntfy.sh/docs/' }),
    read: ({ title, message }) => `${title}\n${message}`,
  },
  {
    kind: 'gotify',
    open: (url, deps) => gotifyKind.open({ url: `${url}/`, token: 'AcanaryToken0.1' }, deps),
    secrets: ['AcanaryToken0.1'],
    refusal: (errorDescription) => JSON.stringify({ error: 'Bad', errorCode: 400, errorDescription }),
    read: ({ title, message }) => `${title}\n${message}`,
  },
  {
    kind: 'pushover',
    open: (url, deps) => pushoverKind.open({ url, token: token30, user: user30 }, deps),
    secrets: [token30, user30],
    refusal: (words) => JSON.stringify({ status: 0, request: 'r', errors: [words] }),
    read: ({ title, message }) => `${title}\n${message}`,
  },
  {
    kind: 'telegram',
    open: (url, deps) => telegramKind.open({ url, token: botToken, chat_id: '-10042' }, deps),
    secrets: [botToken, 'canaryBotToken_01234567890'],
    refusal: (description) => JSON.stringify({ ok: false, error_code: 400, description }),
    read: ({ text }) => text as string,
  },
  {
    kind: 'matrix',
    open: (url, deps) => matrixKind.open({ url, room_id: '!room:example.org', access_token: 'syt_canary_token' }, deps),
    secrets: ['syt_canary_token'],
    refusal: (error) => JSON.stringify({ errcode: 'M_UNKNOWN', error }),
    read: ({ formatted_body }) => unescapeHtml(formatted_body as string),
  },
  {
    kind: 'slack',
    open: (url, deps) => slackKind.open({ url: url + hook }, deps),
    secrets: hookSecrets,
    refusal: (words) => words,
    read: ({ text, blocks }) =>
      unescapeHtml(
        [text, ...(blocks as { text?: { text: string } }[]).map((block) => block.text?.text ?? '')].join('\n'),
      ),
  },
  {
    kind: 'discord',
    open: (url, deps) => discordKind.open({ url: url + hook }, deps),
    secrets: hookSecrets,
    refusal: (message) => JSON.stringify({ message, code: 50035 }),
    read: ({ content, embeds }) =>
      unescapeMarkdown(
        [content, ...(embeds as { description: string }[]).map((embed) => embed.description)].join('\n'),
      ),
  },
  {
    kind: 'mattermost',
    open: (url, deps) => mattermostKind.open({ url: url + hook }, deps),
    secrets: hookSecrets,
    refusal: (message) => JSON.stringify({ id: 'api.error', message, status_code: 400 }),
    read: ({ text }) =>
      unescapeMarkdown(text as string)
        .replaceAll('\u200b', '')
        .replaceAll('‹', '<'),
  },
  {
    kind: 'teams',
    open: (url, deps) => teamsKind.open({ url: `${url + hook}?api-version=1&sig=canarySignature` }, deps),
    secrets: [...hookSecrets, 'canarySignature'],
    refusal: (words) => JSON.stringify({ error: { code: words, message: words } }),
    read: (body) => stringsIn(body).join('\n'),
  },
]

/** Every string in a value, however deep. */
export function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}

/** Sends as reminders/ does: a throw means «retry». The channel is closed after the test. */
export async function openSubject(t: TestContext, { open }: Pick<Subject, 'open'>, url: string) {
  const channel = await open(url, channelDeps)
  t.after(() => channel[Symbol.asyncDispose]())
  return (message: Message, signal = new AbortController().signal) =>
    channel.send(message, signal).catch((error: Error) => ({ retry: true as const, reason: error.message }))
}
