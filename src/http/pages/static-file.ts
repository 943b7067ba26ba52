import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isNotModified } from '#http/protocol/conditional-requests.ts'
import { addVary } from '#http/protocol/security-headers.ts'

export interface StaticFile {
  readonly file: URL
  readonly type: string
  /** The file is compressed, and is sent so to clients that accept it. */
  readonly isGzip?: boolean
}

/**
 * Serves a file of the installation from disk, so it costs no memory between requests. Its ETag is a hash of its content, the same on all
 * replicas. It is computed once: an installed file does not change under a running server.
 */
export function createStaticFile({ file, type, isGzip = false }: StaticFile) {
  let etag: Promise<string> | undefined

  async function hash(): Promise<string> {
    return `"${createHash('sha256')
      .update(await readFile(file))
      .digest('base64url')
      .slice(0, 22)}"`
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    etag ??= hash()
    const tag = await etag.catch((error: unknown) => {
      etag = undefined
      throw error
    })
    reply.headers({ etag: tag, 'cache-control': 'no-cache' })
    if (isGzip) addVary(reply, 'accept-encoding')
    if (isNotModified(request.headers, tag)) return reply.code(304).send()
    reply.type(type)
    const stream = createReadStream(file)
    if (!isGzip) return reply.send(stream)
    if (/\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(request.headers['accept-encoding'] ?? ''))
      return reply.header('content-encoding', 'gzip').send(stream)
    return reply.send(pipeline(stream, createGunzip(), () => {})) // either end closes both
  }
}
