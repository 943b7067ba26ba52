import { connect } from 'node:net'

/**
 * Sends requests over plain sockets, each its next request when the response to the last one has arrived. The usual load generators spend
 * 40 µs of a core on a request, more than the compared routes do, so that all routes look alike. This one spends 12 µs, because it knows
 * that each response is small, complete and has a Content-Length. If the server has a core of its own, the load generator never sleeps:
 * waking a sleeping process costs the writer 5 to 10 µs in a virtual machine. A bare route responds so fast that the generator has no time
 * to sleep; a slower route would pay for both.
 */
export interface Load {
  /** Responses with a status of 2xx. */
  readonly answers: number
  readonly perSecond: number
}

export interface Request {
  readonly method?: string
  readonly path: string
  /** JSON text. */
  readonly body?: string
}

/**
 * @param requests are sent by each connection, over and over
 * @param isAwake true if only the server needs the other core
 * @throws at the first response with a status other than 2xx
 */
export async function load(
  url: string,
  ms: number,
  requests: readonly (readonly Request[])[],
  { isAwake = false } = {},
): Promise<Load> {
  const { hostname, port, host } = new URL(url)
  const buffers = requests.map((list) => list.map((request) => toBuffer(host, request)))
  const startedAt = performance.now()
  let isOver = !isAwake
  const stayAwake = () => {
    if (!isOver) setImmediate(stayAwake)
  }
  stayAwake()
  const answers = await Promise.all(buffers.map((list) => drive(hostname, Number(port), list, startedAt + ms))).finally(
    () => {
      isOver = true
    },
  )
  const sum = answers.reduce((a, b) => a + b, 0)
  return { answers: sum, perSecond: (sum * 1_000) / (performance.now() - startedAt) }
}

/** One connection, until an instant of `performance.now()`. @returns the number of responses it received */
function drive(host: string, port: number, requests: readonly Buffer[], until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let answers = 0
    let missing = 0
    const socket = connect({ host, port, noDelay: true })
    const next = () => socket.write(requests[answers % requests.length] as Buffer)
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server closed a connection')))
    socket.on('data', (data: Buffer) => {
      if (missing === 0) {
        const headLength = data.indexOf('\r\n\r\n') + 4
        const head = data.toString('latin1', 0, headLength)
        const length = /^content-length: (\d+)/im.exec(head)?.[1]
        if (!head.startsWith('HTTP/1.1 2') || length === undefined) {
          reject(new Error(`an unexpected answer: ${data.toString('utf8')}`))
          return socket.destroy()
        }
        missing = headLength + Number(length)
      }
      missing -= data.length
      if (missing > 0) return
      answers++
      if (performance.now() < until) return next()
      resolve(answers)
      socket.destroy()
    })
  })
}

function toBuffer(host: string, { method = 'GET', path, body }: Request): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n`
  if (body === undefined) return Buffer.from(`${head}\r\n`)
  const length = Buffer.byteLength(body)
  return Buffer.from(`${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`)
}
