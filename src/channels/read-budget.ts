import { connect, type LookupFunction, type Socket } from 'node:net'
import { Duplex } from 'node:stream'

/**
 * How many bytes a peer may still send over one connection. A peer that sends more is disconnected, and the attempt fails.
 *
 * It counts bytes, since no client library counts messages. The smallest messages cost the most: a PINGRESP has 2 bytes. libuv reads up
 * to 2 MiB from one socket before any timer runs, so a flood delays everything: 7 s for a webhook beside it, 13 s with MQTT.
 * A limit relative to `bytesWritten` was rejected: a client answers each PING with a PONG of the same length.
 */
export class ReadBudget {
  #left: number
  #reserved = 0
  readonly #base: number
  /** Called once, when the peer exceeds the budget. */
  onSpent: () => void = () => {}
  isSpent = false

  /** @param base bytes for the greeting, and for unsolicited messages of the peer */
  constructor(base: number) {
    this.#base = base
    this.#left = base
  }

  /** @returns false when the peer has now sent too much */
  take(bytes: number): boolean {
    if (this.#left >= bytes) this.#left -= bytes
    else if (!this.isSpent) {
      this.isSpent = true
      this.onSpent()
    }
    return !this.isSpent
  }

  /** An exchange begins: the peer may send this much more until it ends. */
  reserve(bytes: number): void {
    this.#reserved += bytes
    this.#left = Math.min(this.#left + bytes, this.#base + this.#reserved)
  }

  /** The exchange has ended. Unused bytes are not saved up: a busy connection would collect gigabytes within a day. */
  release(bytes: number): void {
    this.#reserved -= bytes
    this.#left = Math.min(this.#left, this.#base + this.#reserved)
  }

  /** An exchange begins on a connection that has only one at a time. */
  restart(): void {
    this.#left = this.#base
  }
}

/**
 * Bytes for the handshake of TLS, which a LimitedSocket reserves: release them after it. Certificates take 3 to 6 KiB; Go's crypto/tls
 * long refused handshake messages above 64 KiB.
 */
export const handshakeBytes = 64 * 1024

/** The error code of a connection that exceeded its budget. */
export const floodCode = 'EFLOOD'
export const floodReason = 'the other side kept sending data that is no response, so the connection was closed'

export const floodError = () => Object.assign(new Error('too much'), { code: floodCode })

/**
 * Counts in `push`, where a socket's bytes arrive. A listener for `data` would take them from clients that read by `readable`. Bytes of
 * TLS itself never arrive here: LimitedSocket counts those.
 */
export function limitReading(socket: Duplex, budget: ReadBudget): void {
  const push = socket.push.bind(socket)
  socket.push = (chunk: Buffer | null, encoding) => {
    if (chunk === null || budget.take(chunk.length)) return push(chunk, encoding)
    socket.destroy(floodError())
    return false
  }
}

/**
 * Gives a reader a few messages at a time, so that it can close the socket in between. The HTTP parser processes a whole read, even after
 * its request was destroyed: 2,600 informational responses took 20 ms.
 */
export function readInPieces(socket: Duplex, bytes: number): void {
  const push = socket.push.bind(socket)
  socket.push = (chunk: Buffer | null, encoding) => {
    if (chunk === null) return push(chunk, encoding)
    let wantsMore = true
    for (let from = 0; from < chunk.length && !socket.destroyed; from += bytes)
      wantsMore = push(chunk.subarray(from, from + bytes), encoding)
    return wantsMore && !socket.destroyed
  }
}

export interface Address {
  readonly host: string
  readonly port: number
  /** Resolves the name to allowed addresses only. */
  readonly lookup: LookupFunction
}

/** A TCP connection whose bytes are counted. */
export function connectLimited(address: Address, budget: ReadBudget): Socket {
  const socket = connect({ ...address })
  socket.setNoDelay(true)
  limitReading(socket, budget)
  return socket
}

/**
 * A TCP connection that counts its bytes before anything reads them; TLS runs on top. With a plain socket, TLS takes over the handle, and
 * no byte passes through JavaScript: floods of KeyUpdate (RFC 8446 section 4.6.3) reached no listener at all. The detour has no measurable
 * cost: 0.16 ms a request either way.
 */
export class LimitedSocket extends Duplex {
  readonly #socket: Socket

  constructor(address: Address, budget: ReadBudget) {
    super()
    const socket = connectLimited(address, budget)
    this.#socket = socket
    budget.reserve(handshakeBytes)
    socket.on('connect', () => this.emit('connect'))
    socket.on('timeout', () => this.emit('timeout'))
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    // Data from before the end is still to be read.
    socket.on('close', () => (socket.readableEnded ? this.end() : this.destroy()))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms)
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(isKept?: boolean, afterMs?: number): this {
    this.#socket.setKeepAlive(isKept, afterMs)
    return this
  }

  ref(): this {
    this.#socket.ref()
    return this
  }

  unref(): this {
    this.#socket.unref()
    return this
  }
}
