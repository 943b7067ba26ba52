import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createStreamParser, followStream, type StreamMessage } from './event-stream.ts'

function parse(...pieces: string[]) {
  const messages: StreamMessage[] = []
  const parser = createStreamParser((message) => messages.push(message))
  for (const piece of pieces) parser.push(piece)
  return { messages, lastId: parser.lastId, retryMs: parser.retryMs }
}
const parsed = (...pieces: string[]) => parse(...pieces).messages.map(({ type, data }) => [type, data])

describe('a stream of server-sent events (WHATWG HTML section 9.2)', () => {
  test('the examples of the standard', () => {
    assert.deepEqual(parsed('data: YHOO\ndata: +2\ndata: 10\n\n'), [['message', 'YHOO\n+2\n10']])
    const { messages, lastId } = parse(
      ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n',
    )
    assert.deepEqual(
      messages.map(({ data, lastId }) => [data, lastId]),
      [
        ['first event', '1'],
        ['second event', ''],
        [' third event', ''],
      ],
    )
    assert.equal(lastId, '')
    assert.deepEqual(parsed('data\n\ndata\ndata\n\ndata:'), [
      ['message', ''],
      ['message', '\n'],
    ])
    assert.deepEqual(parsed('data:test\n\ndata: test\n\n'), [
      ['message', 'test'],
      ['message', 'test'],
    ])
  })

  test('a message without an end is given up after 4 MiB', () => {
    const pieces = ['data: '.padEnd(65_536, 'x'), `data: ${'x'.repeat(65_529)}\n`, 'data\n'.repeat(13_107)]
    for (const piece of [...pieces, 'id: '.padEnd(65_536, 'x')]) {
      const parser = createStreamParser(() => assert.fail('it has no end'))
      let pushed = 0
      assert.throws(() => {
        for (; pushed < 1_000; pushed++) parser.push(piece)
      }, /longer than 4 MiB/)
    }
  })

  test('a line that is no field is skipped, however long it is', () => {
    assert.deepEqual(parsed(...Array.from({ length: 100 }, () => 'x'.repeat(65_536)), '\ndata: a\n\n'), [
      ['message', 'a'],
    ])
  })

  test('a long message is one', () => {
    const [message] = parsed(...Array.from({ length: 50 }, () => `data: ${'x'.repeat(65_536)}\n`), '\n')
    assert.equal(message?.[1]?.length, 50 * 65_537 - 1)
  })

  test('a message has the type of its last event line, which applies to no other', () => {
    assert.deepEqual(parsed('event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\n\ndata: 3\n\n'), [
      ['b', '1'],
      ['message', '2'],
      ['message', '3'],
    ])
  })

  test('CR, LF and CR LF end a line, a byte order mark begins the first, comments and unknown fields are ignored', () => {
    for (const end of ['\n', '\r', '\r\n'])
      assert.deepEqual(parsed(`\uFEFF: comment${end}data: a${end}colour: red${end}:${end}${end}data: b${end}${end}`), [
        ['message', 'a'],
        ['message', 'b'],
      ])
    assert.deepEqual(parsed('data: a\n\n\uFEFFdata: b\n\n'), [['message', 'a']], 'later it is part of a name')
    assert.deepEqual(parsed('Data: a\n\n data: b\n\ndata : c\n\n'), [], 'names are as they are')
    assert.deepEqual(
      parsed('data: a: b\u2028c\u0085d\n\n'),
      [['message', 'a: b\u2028c\u0085d']],
      'no other ends a line',
    )
  })

  test('an id stays until the next one, counts without a message, and not with a NUL', () => {
    const { messages, lastId } = parse('id: 1\ndata: a\n\ndata: b\n\nid: 2\n\nid: 3\0\ndata: c\n\nid: 4\n')
    assert.deepEqual(
      messages.map((message) => message.lastId),
      ['1', '1', '2'],
    )
    assert.equal(lastId, '2', 'a block that has not ended says nothing yet')
  })

  test('retry is a number of digits', () => {
    assert.equal(parse('retry: 100\nretry: 1.5\nretry: -1\nretry\nretry: 1e3\n').retryMs, 100)
  })

  test('a message that has not ended is not reported', () => {
    assert.deepEqual(parsed('data: a\n\ndata: b\n'), [['message', 'a']])
  })

  test('pieces may end anywhere', () => {
    const text = '\uFEFFretry: 7\r\nid: 1\r\nevent: x\r\ndata: a\r\ndata: b\r\n\r\n:\r\r\ndata: c\n\nid: 2\rdata: d\r\r'
    const whole = parse(text)
    assert.deepEqual(
      whole.messages.map(({ data }) => data),
      ['a\nb', 'c', 'd'],
    )
    for (let i = 0; i <= text.length; i++) {
      assert.deepEqual(parse(text.slice(0, i), text.slice(i)), whole, `cut at ${i}`)
      for (let j = i; j <= text.length; j++)
        assert.deepEqual(parse(text.slice(0, i), text.slice(i, j), text.slice(j)), whole, `cut at ${i} and ${j}`)
    }
  })
})

describe('following a stream', () => {
  const bytes = (...pieces: (string | Error)[]) =>
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        const piece = pieces.shift()
        if (piece === undefined) controller.close()
        else if (piece instanceof Error) controller.error(piece)
        else controller.enqueue(new TextEncoder().encode(piece))
      },
    })

  test('continues after the last id, whether the connection ended or broke, and stops at the signal', async () => {
    const asked: (string | undefined)[] = []
    const stopping = new AbortController()
    const connections = [
      () => bytes('retry: 1\nid: 10\n\n', 'id: 11\ndata: a\n\nid: 12\ndata: lost half'),
      () => bytes('id: 12\ndata: b\n\n', new Error('broken')),
      () => {
        throw new Error('refused')
      },
      () => bytes('id: 14\n\n'),
      () => bytes('data: c\n\n'),
    ]
    const heard: string[] = []
    const messages = followStream({
      signal: stopping.signal,
      async open(lastId) {
        asked.push(lastId)
        return (connections.shift() as () => ReadableStream<Uint8Array>)()
      },
      waitAfter: () => 0,
    })
    for await (const { data } of messages) {
      heard.push(data)
      if (data === 'c') stopping.abort()
    }
    assert.deepEqual(heard, ['a', 'b', 'c'])
    assert.deepEqual(asked, [undefined, '11', '12', '12', '14'])
  })

  test('a permanent error ends it with that error', async () => {
    const refused = new Error('400')
    const messages = followStream({
      open: () => Promise.reject(refused),
      waitAfter: () => undefined,
    })
    await assert.rejects(() => messages.next(), refused)
  })

  test('a wait that is longer than setTimeout supports does not end at once', async (t) => {
    const { mock } = t.mock.method(globalThis, 'setTimeout')
    const stopping = new AbortController()
    const messages = followStream({
      signal: stopping.signal,
      open: () => Promise.reject(new Error('503')),
      waitAfter() {
        setImmediate(() => stopping.abort())
        return 999_999_999 * 1_000 // the longest Retry-After
      },
    })
    assert.equal((await messages.next()).done, true)
    assert.equal(Math.max(...mock.calls.map(({ arguments: [, ms = 0] }) => ms)), 2 ** 31 - 1)
  })

  test('characters that arrive in pieces are decoded whole', async () => {
    const all = new TextEncoder().encode('data: 日本🎉\n\n')
    const one = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of all) controller.enqueue(Uint8Array.of(byte))
      },
    })
    for await (const { data } of followStream({ open: async () => one, waitAfter: () => undefined })) {
      assert.equal(data, '日本🎉')
      break // closes the connection
    }
  })
})
