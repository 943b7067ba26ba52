import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/**
 * States of the network between us and a database:
 * - `pass`: a working network
 * - `refuse`: the port is closed; existing connections are reset
 * - `reset`: every connection is reset, new ones as soon as they are made
 * - `blackHole`: connections are accepted and transfer nothing, and existing ones fall silent too
 * - `half`: requests of the client arrive; from its next COMMIT on no response does, and then the connection ends
 */
export type ProxyMode = 'pass' | 'refuse' | 'reset' | 'blackHole' | 'half'

export interface TcpProxy {
  readonly port: number
  /** The same database, through the proxy. */
  readonly url: string
  /** The number of COMMITs whose response was lost. */
  readonly lostAnswers: number
  set(mode: ProxyMode): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** Once silent, a connection stays silent: a network that has forgotten it does not remember it. */
  isSilent: boolean
}

/** @param url of the database; the proxy listens on 127.0.0.1 */
export async function startTcpProxy(t: TestContext, url: string, mode: ProxyMode = 'pass'): Promise<TcpProxy> {
  const target = new URL(url)
  const pairs = new Set<Pair>()
  let port = 0
  let lostAnswers = 0

  const listener = createServer((client) => {
    client.on('error', () => {})
    if (mode === 'reset') return void client.resetAndDestroy()
    const server = connect({ host: target.hostname, port: Number(target.port) })
    const pair: Pair = { client, server, isSilent: mode === 'blackHole' }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    server.on('error', end)
    // A silent connection tells neither side of the other's end.
    server.on('close', () => pair.isSilent || end())
    client.on('close', end)
    let isAnswerLost = false
    client.on('data', (bytes) => {
      if (pair.isSilent) return
      if (mode === 'half' && !isAnswerLost && /\bcommit\b/i.test(bytes.toString('latin1'))) {
        isAnswerLost = true
        lostAnswers++
      }
      server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (isAnswerLost) end()
      else if (!pair.isSilent) client.write(bytes)
    })
  })

  const listen = () =>
    new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(port, '127.0.0.1', () => {
        listener.off('error', reject)
        port = (listener.address() as AddressInfo).port
        resolve()
      })
    })
  const resetAll = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
    pairs.clear()
  }
  const close = () => new Promise<void>((resolve) => (listener.listening ? listener.close(() => resolve()) : resolve()))

  async function set(next: ProxyMode) {
    mode = next
    if (mode === 'refuse' || mode === 'reset') resetAll()
    if (mode === 'blackHole') for (const pair of pairs) pair.isSilent = true
    if (mode === 'refuse') await close()
    else if (!listener.listening) await listen()
  }

  await listen()
  await set(mode)
  t.after(() => {
    resetAll()
    return close()
  })
  const through = new URL(url)
  through.port = String(port)
  return {
    port,
    url: through.href,
    get lostAnswers() {
      return lostAnswers
    },
    set,
  }
}
