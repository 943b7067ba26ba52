import { text } from '../text/en.ts'
import { Page } from '../ui/page.tsx'

export function Notifications() {
  return <Page title={text.notifications} lead={text.notBuilt} />
}
