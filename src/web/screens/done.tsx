import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function Done() {
  return <Page title={text.done} lead={text.notBuilt} />
}
