import { existsSync, writeFileSync } from 'node:fs'
import { breakingChanges } from './breaking.ts'
import { clientTable, clientTableFile } from './client-table.ts'
import { documentFile, generate, readDocument, toText } from './generate.ts'

/**
 * `npm run openapi`: regenerates openapi.json and the table of the client. It refuses changes that would break a caller, unless `--
 * --breaking` confirms them.
 */
const { document, undescribed } = await generate()
if (undescribed.length > 0) {
  console.error(
    `These routes have no operationId, and do not say that they are no operation:\n${undescribed.join('\n')}`,
  )
  process.exit(1)
}
const broken = existsSync(documentFile) ? breakingChanges(readDocument(), document) : []
if (broken.length > 0 && !process.argv.includes('--breaking')) {
  console.error(`/v1 only grows, and this would break who uses it:\n${broken.map((one) => `  ${one}`).join('\n')}`)
  console.error('Nothing was written. Where it is meant: npm run openapi -- --breaking')
  process.exit(1)
}
writeFileSync(documentFile, toText(document))
writeFileSync(clientTableFile, clientTable())
