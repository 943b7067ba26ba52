import { signal } from '@preact/signals'
import { createClient } from '#client/client.ts'
import { base } from '../base.ts'

/** When the server stopped answering, in ms; null while it answers. */
export const offlineSince = signal<number | null>(null)

/** Leaves for the sign-in page, which leads back to this address. */
function goToSignIn(): void {
  const here = location.href.slice(base.href.length)
  location.replace(`${base.href}sign-in?return_to=${encodeURIComponent(here)}`)
}

/** The client of the API. It notes whether the server answers, and leaves for sign-in when there is no session. */
export const client = createClient(base.href, {
  async fetch(input, init) {
    try {
      const response = await fetch(input, init)
      offlineSince.value = null
      if (response.status === 401) goToSignIn()
      return response
    } catch (error) {
      // An aborted request is our own doing.
      if ((error as Error).name !== 'AbortError') offlineSince.value ??= Date.now()
      throw error
    }
  },
})

/** The cursor of the change stream at this moment. The client only follows the stream, and its first event may be hours away. */
export async function currentCursor(): Promise<string> {
  const response = await fetch(new URL('v1/events?wait=0', base), { headers: { accept: 'application/json' } })
  if (response.status === 401) goToSignIn()
  if (!response.ok) throw new Error(`The server responds with ${response.status}.`)
  return (await response.json()).cursor
}
