import type { FastifyInstance } from 'fastify'
import { escapeHtml, sendPage } from './page.ts'
import { createStaticFile } from './static-file.ts'

/**
 * The API described: `/openapi.json` for machines, `/docs` for people. The page is Scalar's, whose script is a file of ours
 * (src/http/docs/README.md); no request leaves this server.
 */
export function docsRoutes(server: FastifyInstance): void {
  const schema = { hide: true, needs: 'nothing' } as const
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
  server.get('/docs', { schema }, async (_, reply) => sendPage(reply, page, policy))
  // Until the web app is here, whoever opens the server's address finds what it can do.
  server.get('/', { schema }, async (_, reply) => reply.redirect('/docs'))
}

const policy =
  "script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:"

/** Scalar's own page without what speaks to its makers: fonts, figures about use, an assistant, links to their services. */
const configuration = {
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  operationTitleSource: 'summary',
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The API of Duebell</title>
<link rel="icon" href="data:,">
</head>
<body>
<script id="api-reference" data-url="/openapi.json" data-configuration="${escapeHtml(JSON.stringify(configuration))}"></script>
<script src="/docs/scalar.js"></script>
</body>
</html>
`
