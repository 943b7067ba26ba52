import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function All() {
  return <Page title={text.all} lead={text.notBuilt} />
}
