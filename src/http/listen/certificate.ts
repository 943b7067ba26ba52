import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions, type Server as TlsServer } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '#clock.ts'
import { Problem } from '#core/problem.ts'

/** Paths of a certificate and its key, in PEM. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

export interface Certificate {
  readonly files: CertificateFiles
  readonly options: SecureContextOptions & { readonly cert: string; readonly key: string }
  /** `Nov 24 18:03:49 2126 GMT`, as the certificate has it. */
  readonly validTo: string
}

/**
 * Errors never quote the files: where the two are swapped, the key would be in the log.
 * @throws Problem `invalid`
 */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  const cert = await readText(files.cert, '--tls-cert')
  const key = await readText(files.key, '--tls-key')
  const certificate = parse(() => new X509Certificate(cert), `${files.cert} is not a PEM certificate: see --tls-cert.`)
  const privateKey: KeyObject = parse(
    () => createPrivateKey(key),
    `${files.key} is not a PEM private key, or has a passphrase: see --tls-key.`,
  )
  if (!certificate.checkPrivateKey(privateKey))
    throw new Problem('invalid', `The key in ${files.key} does not match the certificate in ${files.cert}.`)
  const options = { cert, key, minVersion: 'TLSv1.2' } as const
  parse(() => createSecureContext(options), `The certificate in ${files.cert} and its key cannot be used for TLS.`)
  return { files, options, validTo: certificate.validTo }
}

async function readText(path: string, flag: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw new Problem('invalid', `${path} cannot be read (${reasons[code] ?? code}): see ${flag}.`, { cause: error })
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
}

/** Omits the cause: OpenSSL may quote the file. */
function parse<T>(read: () => T, detail: string): T {
  try {
    return read()
  } catch {
    throw new Problem('invalid', detail)
  }
}

/** A certificate is renewed weeks before the old one expires, but an administrator who replaces it by hand should not wait. */
const checkEveryMs = 60_000

/**
 * Uses a renewed certificate for new connections. An error is logged once, and every check tries again: a check may run between the writes
 * of the two files.
 *
 * Compares content, not mtime: a copy may keep an old mtime, two writes may share one, and reading 5 KB a minute costs nothing.
 * @returns stops watching
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

  async function check() {
    try {
      const read = await readCertificate(current.files)
      if (stopping.signal.aborted) return
      const isNew = read.options.cert !== current.options.cert || read.options.key !== current.options.key
      if (isNew) tls.setSecureContext(read.options)
      if (isNew || lastFault !== undefined)
        log.info(`The certificate in ${read.files.cert} is in use, valid until ${read.validTo}`)
      current = read
      lastFault = undefined
    } catch (error) {
      const { message } = error as Error
      if (message !== lastFault && !stopping.signal.aborted)
        log.error(`${message} The previous certificate stays in use, valid until ${current.validTo}.`)
      lastFault = message
    }
  }

  async function run() {
    for (;;) {
      await clock.sleep(checkEveryMs, stopping.signal)
      if (stopping.signal.aborted) return
      await check()
    }
  }
  run()
  return () => stopping.abort()
}
