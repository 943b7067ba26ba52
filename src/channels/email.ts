import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { domainToASCII } from 'node:url'
import type { Outcome } from '#core/delivery.ts'
import { invalidMember } from '#core/problem.ts'
import Type from '#json-schema.ts'
import type { ChannelKind } from './channel.ts'
import { htmlBody, textBody } from './email-body.ts'
import { asRateLimited } from './error-response.ts'
import { formatFailure, Unreachable } from './http-client.ts'
import { toMessageText, truncate } from './message-text.ts'
import { floodReason, ReadBudget } from './read-budget.ts'
import { checkHost, openSocket, openUpgradable, type Server } from './socket.ts'

/**
 * A mail by SMTP (RFC 5321) to the addresses of the options only. Its Message-ID is the delivery's id, the same for all attempts, by which
 * many mail servers remove duplicates. Auto-Submitted (RFC 3834 section 5) prevents out-of-office replies.
 */
const address = '^[^\\s<>@,;:"()\\u0000-\\u001f\\u007f]+@[^\\s<>@,;:"()\\u0000-\\u001f\\u007f]+$'
const maxAddressLength = 254 // RFC 5321 section 4.5.3.1.3, without its brackets

const securities = ['tls', 'starttls', 'none'] as const

const options = Type.Object(
  {
    host: Type.String({
      title: 'Server',
      description: 'The host of the SMTP server: smtp.example.org',
      maxLength: 253,
      affectsSecrets: true,
    }),
    port: Type.Optional(
      Type.Integer({
        title: 'Port',
        description: 'Default: 465 for tls, 587 for starttls, 25 for none',
        minimum: 1,
        maximum: 65_535,
        affectsSecrets: true,
      }),
    ),
    security: Type.Optional(
      Type.Enum(securities, {
        title: 'Security',
        description:
          'tls encrypts from the first byte, starttls before the login; none is for a server on the same network only. Default: tls',
        affectsSecrets: true,
      }),
    ),
    user: Type.Optional(
      Type.String({
        title: 'User',
        description: 'If the server requires a login',
        maxLength: 254,
        affectsSecrets: true,
      }),
    ),
    password: Type.Optional(
      Type.String({
        title: 'Password',
        description: 'Password of that user; many providers issue one for programs',
        maxLength: 1_000,
        writeOnly: true,
      }),
    ),
    from: Type.String({
      title: 'From',
      description: 'The address of the sender: bell@example.org',
      pattern: address,
      maxLength: maxAddressLength,
      affectsSecrets: false,
    }),
    to: Type.Array(Type.String({ pattern: address, maxLength: maxAddressLength }), {
      title: 'To',
      description: 'Addresses of the recipients, who see each other',
      minItems: 1,
      maxItems: 20,
      uniqueItems: true,
      affectsSecrets: false,
    }),
  },
  { additionalProperties: false },
)

const defaultPorts = { tls: 465, starttls: 587, none: 25 } as const
/**
 * Bytes for all replies to one mail. A line has 512 (RFC 5321 section 4.5.3.1.5); refusing 20 recipients in three lines each takes 30 KiB.
 */
const replyBytes = 32 * 1024
/** Characters. RFC 5322 folds longer lines, and mail clients show no more. */
const maxSubjectLength = 200

export const emailKind: ChannelKind<typeof options> = {
  kind: 'email',
  label: 'Email',
  about: 'A mail to one or several addresses, by an SMTP server that accepts your mail.',
  options,
  // Each mail has its own connection: most servers would close an idle one between two notifications.
  concurrency: 4,
  async open({ host, security = 'tls', port = defaultPorts[security], user, password, from, to }, { egress }) {
    const server: Server = { host: checkHost(host, '/host', egress), port, isEncrypted: security === 'tls', egress }
    if ((user === undefined) !== (password === undefined))
      throw invalidMember(user === undefined ? '/user' : '/password', 'is missing; a login has both')
    // Loaded here and not at the first send, which would be 15 ms late. A server without such a channel never loads it.
    const { createTransport } = await import('nodemailer')
    const closing = new AbortController()
    return {
      async send(message, signal) {
        const messageText = toMessageText(message)
        const ending = AbortSignal.any([signal, closing.signal])
        const budget = new ReadBudget(replyBytes)
        const opening =
          security === 'starttls' ? openUpgradable(server, ending, budget) : openSocket(server, ending, budget)
        const socket = await opening.catch((error) => {
          throw new Unreachable(ending.aborted ? 'timed out' : formatFailure(error))
        })
        const transport = createTransport({
          host: server.host,
          port,
          connection: socket as Socket,
          secure: security === 'tls',
          secured: security === 'tls',
          requireTLS: security === 'starttls',
          ignoreTLS: security === 'none',
          ...(user === undefined ? {} : { auth: { user, pass: password } }),
          name: greetingName(hostname(), from),
          disableFileAccess: true,
          disableUrlAccess: true,
        })
        try {
          const sent = await transport.sendMail({
            from: { name: 'Duebell', address: from },
            to: to.map((one) => ({ name: '', address: one })),
            // Explicit, so that no header decides who receives it.
            envelope: { from, to: [...to] },
            subject: truncate(messageText.subject, maxSubjectLength),
            text: textBody(messageText),
            html: htmlBody(messageText),
            messageId: `<${message.deliveryId}@${from.slice(from.lastIndexOf('@') + 1)}>`,
            date: new Date(message.sentAt),
            ...(messageText.urgency === 'high' ? { priority: 'high' as const } : {}),
            headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
          })
          return sentOutcome(sent, to.length)
        } catch (error) {
          if (budget.isSpent) throw new Unreachable(floodReason)
          if (ending.aborted) throw new Unreachable('timed out')
          return failureOutcome(error as SmtpError)
        } finally {
          socket.destroy()
        }
      },
      async [Symbol.asyncDispose]() {
        closing.abort()
      },
    }
  },
}

/**
 * The name in EHLO: a domain name of the client (RFC 5321 section 4.1.1.1). The host's name is used if it is fully qualified. In a container
 * it is not, and nodemailer would send `[127.0.0.1]`, which Google's relay refuses. Then it is the sender's domain: a server must not refuse
 * a mail because that name does not resolve to the client (section 4.1.4).
 */
export function greetingName(host: string, from: string): string | undefined {
  const isFull = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*$/i
  return [host, domainToASCII(from.slice(from.lastIndexOf('@') + 1))].find((name) => isFull.test(name))
}

interface SmtpError extends Error {
  readonly code?: string | undefined
  /** The server's reply, and the command that it answers. */
  readonly responseCode?: number | undefined
  readonly response?: string | undefined
  readonly command?: string | undefined
}

/** The mail was accepted for some recipients. A temporary refusal of another repeats the mail to all, with the same Message-ID. */
function sentOutcome(
  { rejectedErrors = [] }: { readonly rejectedErrors?: readonly SmtpError[] | undefined },
  all: number,
): Outcome {
  const [worst] = rejectedErrors.toSorted((a, b) => (a.responseCode ?? 0) - (b.responseCode ?? 0))
  if (!worst) return 'sent'
  const reason = `${replyOf(worst)}: ${rejectedErrors.length} of ${all} recipients were refused`
  return limitedBy(worst, { retry: (worst.responseCode ?? 0) < 500, reason, ...statusOf(worst) })
}

/**
 * 4xx is temporary, 5xx is permanent (RFC 5321 section 4.2.1) if it concerns the login, the sender or the recipient. Any other 5xx is
 * retried, such as for a mail that a server takes for spam today.
 */
function failureOutcome(error: SmtpError): Outcome {
  const { code, responseCode = 0, command = '' } = error
  if (code === 'EAUTH' && responseCode === 0) return { retry: false, reason: 'the server offers no supported login' }
  // A server without STARTTLS replies with a code, too.
  if (responseCode === 0 || code === 'ETLS')
    throw new Unreachable(failures[code ?? ''] ?? formatFailure(error as NodeJS.ErrnoException))
  const isLogin = code === 'EAUTH' || responseCode === 530 || responseCode === 535
  const isEnvelope = code === 'EENVELOPE' && /^(MAIL|RCPT)/.test(command)
  const what = isLogin
    ? 'the user or password was refused'
    : command.startsWith('MAIL')
      ? 'the sender was refused'
      : command.startsWith('RCPT')
        ? 'every recipient was refused'
        : command.startsWith('DATA')
          ? 'the mail was refused'
          : 'the server refused the connection'
  const retry = responseCode < 500 || !(isLogin || isEnvelope)
  const reason = `${replyOf(error)}: ${what}`
  return limitedBy(error, { retry, reason, ...statusOf(error) })
}

/**
 * SMTP has no code for a rate limit. 421 closes the connection for all mails (RFC 5321 section 4.2.3), 4.7.28 means too much mail of one
 * sender (support.google.com, «SMTP error reference»), and servers with another code of 4xx say so in their text.
 */
function limitedBy({ responseCode = 0, response = '' }: SmtpError, outcome: Outcome): Outcome {
  if (responseCode < 400 || responseCode >= 500) return outcome
  const isLimit = responseCode === 421 || /\b4\.7\.28\b|too (many|much|fast|quickly)|rate limit|throttl/i.test(response)
  return isLimit ? asRateLimited(outcome) : outcome
}

/** Explanations for unclear codes of nodemailer. */
const failures: Readonly<Record<string, string>> = {
  ETLS: 'cannot be reached: TLS failed, or is not offered',
  EPROTOCOL: 'cannot be reached: it does not speak SMTP',
  ECONNECTION: 'cannot be reached: the connection was closed',
}

const statusOf = ({ responseCode }: SmtpError) => (responseCode ? { status: responseCode } : {})

/** `550 5.1.1`: the codes of a reply (RFC 3463), without its text. */
function replyOf({ responseCode, response = '' }: SmtpError): string {
  const enhanced = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1]
  return [responseCode, enhanced].filter(Boolean).join(' ')
}
