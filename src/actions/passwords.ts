import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Problem } from '#core/problem.ts'

/**
 * Passwords as Argon2id (RFC 9106), in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, base64 without padding. With
 * OWASP's least memory and passes: 19 MiB, 30 ms of one core. By Node's own, which has it since 24.7.
 */
const usual = { memory: 19_456, passes: 2, parallelism: 1 } as const
const [saltBytes, hashBytes] = [16, 32]
/** At once: each takes 19 MiB and a thread of the pool, in which file and DNS work waits as well. */
const maxConcurrent = 2
/** Who waits behind more is sent away by the rate limit anyway; a bound, so that memory has one. */
const maxWaiting = 100

const derive = promisify(argon2) as (algorithm: 'argon2id', parameters: object) => Promise<Buffer>

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes)
  const hash = await inTurn(() => compute(password, salt, usual, hashBytes))
  const { memory, passes, parallelism } = usual
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${toText(salt)}$${toText(hash)}`
}

/**
 * Takes as long where there is no such person, or one without a password: so nobody learns by the clock who is here.
 * @param stored null where there is none
 */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const known = parse(stored ?? nobodys)
  const hash = await inTurn(() => compute(password, known.salt, known, known.hash.length))
  return timingSafeEqual(hash, known.hash) && stored !== null
}

/** Of a password that nobody knows. */
const nobodys = `$argon2id$v=19$m=${usual.memory},t=${usual.passes},p=1$${toText(randomBytes(saltBytes))}$${toText(randomBytes(hashBytes))}`

interface Cost {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

function compute(password: string, nonce: Buffer, cost: Cost, tagLength: number): Promise<Buffer> {
  // One reading of each character, or ü typed on two systems would be two passwords (NIST SP 800-63B, section 3.1.1.2).
  const message = password.normalize('NFKC')
  return derive('argon2id', { message, nonce, tagLength, ...cost })
}

const form = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

function parse(stored: string): Cost & { salt: Buffer; hash: Buffer } {
  const [, memory, passes, parallelism, salt = '', hash = ''] = form.exec(stored) ?? []
  if (memory === undefined) throw new Error('a password that is not stored as Argon2id')
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
}

function toText(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

let running = 0
const waiting: (() => void)[] = []

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= maxConcurrent) {
    if (waiting.length >= maxWaiting)
      throw new Problem('unavailable', 'Too many sign in at this moment.', { retryAfterMs: 2_000 })
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  running++
  try {
    return await work()
  } finally {
    running--
    waiting.shift()?.()
  }
}
