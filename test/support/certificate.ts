import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryFolder } from '#support/databases.ts'

/** A certificate that nobody has signed but itself. Made anew: a private key in a repository sets off alarms, rightly. */
export function selfSigned(t: TestContext): { readonly key: Buffer; readonly cert: Buffer } {
  const folder = temporaryFolder(t)
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, '-days', '2', ...name])
  if (made.status !== 0) throw new Error(`openssl: ${made.error?.message ?? made.stderr}`)
  return { key: readFileSync(key), cert: readFileSync(cert) }
}
