import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { Webhook } from 'standardwebhooks'

export interface Receipt {
  /** The `webhook-id`. */
  readonly id: string
  readonly taskId: number
  readonly expiry: string
  readonly due: string
  /** As it is said to a person. */
  readonly message: string
  readonly at: number
}

/** Somebody else's server, to which webhooks are sent. */
export interface Receiver {
  readonly url: string
  readonly secret: string
  /** Everything that came with a good signature, in order. */
  readonly receipts: Receipt[]
  /** What came and was not signed, or not readable. */
  readonly faults: string[]
  /** Ends the response; 204 at once unless the test says otherwise. */
  answer: (receipt: Receipt, response: ServerResponse) => void
}

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

export async function startReceiver(t: TestContext): Promise<Receiver> {
  const webhook = new Webhook(secret)
  const server = createServer(async (request, response) => {
    response.on('error', () => {}) // the sender may be dead by now
    try {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += chunk
      const { data } = webhook.verify(body, request.headers as Record<string, string>) as {
        data: { task: { id: number }; notification: { expiry_dt: string; due_dt: string }; message: string }
      }
      const { expiry_dt: expiry, due_dt: due } = data.notification
      const id = String(request.headers['webhook-id'])
      const receipt = { id, taskId: data.task.id, expiry, due, message: data.message, at: Date.now() }
      receiver.receipts.push(receipt)
      receiver.answer(receipt, response)
    } catch (error) {
      // A sender that was killed while it sent is no fault of what it sent.
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return
      receiver.faults.push(String(error))
      response.writeHead(400).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    secret,
    receipts: [],
    faults: [],
    answer: (_, response) => response.writeHead(204).end(),
  }
  return receiver
}
