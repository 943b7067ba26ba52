import type { FastifyInstance } from 'fastify'
import { escapeHtml, renderHtml, sendHtml } from './page.ts'
import { createStaticFile } from './static-file.ts'

/**
 * The API reference: `/openapi.json` for machines, `/docs` for people. The page is Scalar's, and its script is a file of this server
 * (src/http/docs/README.md), so no request leaves the server.
 */
export function docsRoutes(server: FastifyInstance): void {
  const schema = { hide: true, scope: 'none' } as const
  const description = createStaticFile({
    file: new URL('../../../openapi.json', import.meta.url),
    type: 'application/json',
  })
  const script = createStaticFile({
    file: new URL('../docs/scalar.js.gz', import.meta.url),
    type: 'text/javascript; charset=utf-8',
    isGzip: true,
  })

  server.get('/openapi.json', { schema }, description)
  server.get('/docs/scalar.js', { schema }, script)
  server.get('/docs', { schema }, async (_, reply) => sendHtml(reply, page, policy))
}

const policy =
  "script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:"

/** Turns off all that contacts Scalar's own services: fonts, telemetry, an assistant, links. */
const configuration = {
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  operationTitleSource: 'summary',
}

const page = renderHtml({
  title: 'Duebell API',
  body: `<script id="api-reference" data-url="/openapi.json" data-configuration="${escapeHtml(JSON.stringify(configuration))}"></script>
<script src="/docs/scalar.js"></script>`,
})
