import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function Calendar() {
  return <Page title={text.calendar} lead={text.notBuilt} />
}
