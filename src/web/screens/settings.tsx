import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function Settings() {
  return <Page title={text.settings} lead={text.notBuilt} />
}
