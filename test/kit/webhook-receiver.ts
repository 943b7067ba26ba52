import type { ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { startHttpReceiver } from './http-receiver.ts'

export interface Receipt {
  /** The `webhook-id`. */
  readonly id: string
  readonly taskId: number
  readonly expiry: string
  readonly due: string
  /** The sentence for people. */
  readonly message: string
  readonly at: number
}

/** A receiver of webhooks that verifies their signatures. */
export interface Receiver {
  readonly url: string
  readonly secret: string
  /** Every webhook with a valid signature, in order. */
  readonly receipts: Receipt[]
  /** Requests without a valid signature, or with an unreadable body. */
  readonly faults: string[]
  /** Ends the response. Default: 204 at once */
  answer: (receipt: Receipt, response: ServerResponse) => void
}

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

export async function startReceiver(t: TestContext): Promise<Receiver> {
  const webhook = new Webhook(secret)
  const { url } = await startHttpReceiver(t, ({ headers, body }, response) => {
    try {
      const { data } = webhook.verify(body, headers as Record<string, string>) as {
        data: { task: { id: number }; notification: { expiry_dt: string; due_dt: string }; message: string }
      }
      const { expiry_dt: expiry, due_dt: due } = data.notification
      const id = String(headers['webhook-id'])
      const receipt = { id, taskId: data.task.id, expiry, due, message: data.message, at: Date.now() }
      receiver.receipts.push(receipt)
      receiver.answer(receipt, response)
    } catch (error) {
      receiver.faults.push(String(error))
      response.writeHead(400).end()
    }
  })
  const receiver: Receiver = {
    url: `${url}/hook`,
    secret,
    receipts: [],
    faults: [],
    answer: (_, response) => response.writeHead(204).end(),
  }
  return receiver
}
