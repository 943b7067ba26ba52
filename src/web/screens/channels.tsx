import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function Channels() {
  return <Page title={text.channels} lead={text.notBuilt} />
}
