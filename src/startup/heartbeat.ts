import { anywhere } from '#channels/egress-policy.ts'
import { openHttpClient, parseTarget, toOutcome } from '#channels/http-client.ts'
import type { Clock } from '#clock.ts'
import type { Outcome } from '#core/delivery.ts'

export interface HeartbeatClient extends AsyncDisposable {
  send(signal: AbortSignal): Promise<Outcome>
}

/** Sends heartbeats as GET requests to the monitor's URL, by the rules for all outgoing requests. */
export function openHeartbeatClient(url: string, clock: Clock): HeartbeatClient {
  const client = openHttpClient(parseTarget(url, '/heartbeatUrl', anywhere))
  return {
    send: async (signal) =>
      toOutcome(await client.request({ method: 'GET', headers: {}, body: '', signal }), clock.now()),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}
