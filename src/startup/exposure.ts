import type { Config } from '#config/config.ts'
import { Problem } from '#core/problem.ts'
import { isLoopbackAddress } from '#http/protocol/host-check.ts'

/** Which machines can reach the server. */
export interface Exposure {
  readonly isSocket: boolean
  /** Only programs on this machine can connect. */
  readonly isLoopback: boolean
}

/** @throws Problem `forbidden` if any machine on the network could use the server without login */
export function checkExposure({ host, socket, login, allowAnyoneOnNetwork }: Config): Exposure {
  const isSocket = socket !== ''
  const isLoopback = isSocket || isLoopbackAddress(host)
  if (!isLoopback && !login && !allowAnyoneOnNetwork)
    throw new Problem(
      'forbidden',
      `${host} can be reached from other machines, and there is no login: any caller could read, change and delete everything. Either give --login, so that users sign in; or listen on 127.0.0.1, for programs on this machine only. (--allow-anyone-on-network serves without login all the same.)`,
    )
  if (login && allowAnyoneOnNetwork)
    throw new Problem('invalid', '--login and --allow-anyone-on-network exclude each other.')
  return { isSocket, isLoopback }
}
