import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function Task() {
  return <Page title={text.taskScreen} lead={text.notBuilt} />
}
