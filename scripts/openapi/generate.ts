import { readFileSync } from 'node:fs'
import { describe } from './describe.ts'
import type { Document } from './document.ts'
import { readRoutes } from './routes.ts'
import { story } from './story.ts'
import { addExamples, type Told, tell } from './tell.ts'

const root = new URL('../../', import.meta.url)

/** The file that is committed, served and packaged. */
export const documentFile = new URL('openapi.json', root)

/** The document of the current sources, and the recorded requests and responses of its examples. */
export async function generate(): Promise<{ document: Document; told: Told[]; undescribed: string[] }> {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const { routes, undescribed } = readRoutes()
  const bare = await describe(routes, version)
  const { told, sent } = await tell(story)
  return { document: addExamples(bare, told, sent), told, undescribed }
}

export function toText(document: Document): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

export function readDocument(): Document {
  return JSON.parse(readFileSync(documentFile, 'utf8'))
}
