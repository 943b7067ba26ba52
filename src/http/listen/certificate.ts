import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions, type Server as TlsServer } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'

/** Where a certificate and its key are, in PEM. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** What TLS is spoken with. */
export interface Certificate {
  readonly files: CertificateFiles
  readonly options: SecureContextOptions & { readonly cert: string; readonly key: string }
  /** `Nov 24 18:03:49 2126 GMT`, as the certificate has it. */
  readonly goodUntil: string
}

/**
 * Never a word of what is in the files: whoever mistakes one for another would read the key in the log.
 * @throws Problem `invalid`
 */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  const cert = await readText(files.cert, '--tls-cert')
  const key = await readText(files.key, '--tls-key')
  const certificate = parsed(
    () => new X509Certificate(cert),
    `${files.cert} holds no certificate in PEM: see --tls-cert.`,
  )
  const privateKey: KeyObject = parsed(
    () => createPrivateKey(key),
    `${files.key} holds no private key in PEM, or one under a passphrase: see --tls-key.`,
  )
  if (!certificate.checkPrivateKey(privateKey))
    throw new Problem('invalid', `The key in ${files.key} is not that of the certificate in ${files.cert}.`)
  const options = { cert, key, minVersion: 'TLSv1.2' } as const
  parsed(() => createSecureContext(options), `The certificate in ${files.cert} and its key cannot be used for TLS.`)
  return { files, options, goodUntil: certificate.validTo }
}

async function readText(path: string, flag: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw new Problem('invalid', `${path} cannot be read, ${reasons[code] ?? code}: see ${flag}.`, { cause: error })
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'since there is no such file',
  EACCES: 'since this user may not',
  EISDIR: 'since it is a folder',
}

/** Without the error as its cause: what OpenSSL quotes is not ours to know. */
function parsed<T>(parse: () => T, sentence: string): T {
  try {
    return parse()
  } catch {
    throw new Problem('invalid', sentence)
  }
}

/** A renewed certificate is there weeks before the old one ends; who changes it by hand does not want to wait. */
const everyMs = 60_000

/**
 * Takes up a renewed certificate, for connections from then on. What cannot be used is said once, and tried again at every look:
 * a look may fall between the writing of the two files.
 *
 * By content and not by mtime: a copy may carry an old one, two writes may share one, and reading 5 KB a minute costs nothing.
 * @returns how to end it
 */
export function watchCertificate({
  server,
  certificate,
  clock,
  log,
}: {
  /** Made with the certificate. */
  server: FastifyInstance
  certificate: Certificate
  clock: Clock
  log: Pick<Logger, 'error' | 'info'>
}): () => void {
  const tls = server.server as object as TlsServer
  const stopping = new AbortController()
  let current = certificate
  let lastFault: string | undefined

  async function look() {
    try {
      const found = await readCertificate(current.files)
      if (stopping.signal.aborted) return
      const isNew = found.options.cert !== current.options.cert || found.options.key !== current.options.key
      if (isNew) tls.setSecureContext(found.options)
      if (isNew || lastFault !== undefined)
        log.info(`The certificate in ${found.files.cert} is in use, good until ${found.goodUntil}`)
      current = found
      lastFault = undefined
    } catch (error) {
      const { message } = error as Error
      if (message !== lastFault && !stopping.signal.aborted)
        log.error(`${message} The certificate from before stays in use, good until ${current.goodUntil}.`)
      lastFault = message
    }
  }

  async function run() {
    for (;;) {
      await clock.sleep(everyMs, stopping.signal)
      if (stopping.signal.aborted) return
      await look()
    }
  }
  run()
  return () => stopping.abort()
}
