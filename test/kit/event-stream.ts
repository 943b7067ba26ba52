import assert from 'node:assert/strict'

/** A raw stream of events: it does not reconnect. */
export async function openStream(
  t: { after(end: () => unknown): void },
  url: string,
  headers: Record<string, string> = {},
) {
  const stopping = new AbortController()
  t.after(() => stopping.abort())
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: stopping.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    response,
    /** Reads until this has arrived. @returns everything that has arrived, up to its end */
    async until(end: string) {
      while (!text.includes(end)) {
        const { value, done } = await reader.read()
        assert.ok(!done, `it ended after ${text}`)
        text += decoder.decode(value, { stream: true })
      }
      const all = text.slice(0, text.indexOf(end) + end.length)
      text = text.slice(all.length)
      return all
    },
    async close() {
      await reader.cancel()
    },
    async ends() {
      while (!(await reader.read()).done);
    },
  }
}
