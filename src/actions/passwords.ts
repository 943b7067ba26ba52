import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Problem } from '#core/problem.ts'

/**
 * Passwords are hashed with Argon2id (RFC 9106), in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, base64 without
 * padding. OWASP's minimum of memory and passes takes 19 MiB and 30 ms of one core. Node has had Argon2 since 24.7.
 */
const defaultCost = { memory: 19_456, passes: 2, parallelism: 1 } as const
const [saltBytes, hashBytes] = [16, 32]
/** Each computation takes 19 MiB and a thread of the pool, which file and DNS work shares. */
const maxConcurrent = 2
/** The rate limit refuses longer queues anyway; this bounds the memory. */
const maxWaiting = 100

const derive = promisify(argon2) as (algorithm: 'argon2id', parameters: object) => Promise<Buffer>

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes)
  const hash = await queued(() => compute(password, salt, defaultCost, hashBytes))
  const { memory, passes, parallelism } = defaultCost
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${toText(salt)}$${toText(hash)}`
}

/**
 * Takes equally long when the user or their password does not exist, so that the duration reveals no user names.
 * @param stored null when there is none
 */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const known = parse(stored ?? placeholderHash)
  const hash = await queued(() => compute(password, known.salt, known, known.hash.length))
  return timingSafeEqual(hash, known.hash) && stored !== null
}

/** A hash that no password matches. */
const placeholderHash = `$argon2id$v=19$m=${defaultCost.memory},t=${defaultCost.passes},p=1$${toText(randomBytes(saltBytes))}$${toText(randomBytes(hashBytes))}`

interface Cost {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

function compute(password: string, nonce: Buffer, cost: Cost, tagLength: number): Promise<Buffer> {
  // Without normalisation, ü typed on two systems would be two passwords (NIST SP 800-63B, section 3.1.1.2).
  const message = password.normalize('NFKC')
  return derive('argon2id', { message, nonce, tagLength, ...cost })
}

const form = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

function parse(stored: string): Cost & { salt: Buffer; hash: Buffer } {
  const [, memory, passes, parallelism, salt = '', hash = ''] = form.exec(stored) ?? []
  if (memory === undefined) throw new Error('The stored password is not an Argon2id hash.')
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

async function queued<T>(work: () => Promise<T>): Promise<T> {
  if (running >= maxConcurrent) {
    if (waiting.length >= maxWaiting)
      throw new Problem('unavailable', 'Too many users are signing in. Try again in 2 seconds.', {
        retryAfterMs: 2_000,
      })
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
