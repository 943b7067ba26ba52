import { render } from 'preact'
import { startRouter } from './router.ts'
import { startTasks } from './state/tasks.ts'
import { applyTheme } from './state/theme.ts'
import { startClock } from './state/time.ts'
import { Shell } from './ui/shell.tsx'

// A relative address of an icon would be resolved again, wrongly, whenever the address of the page changes.
const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
icon?.setAttribute('href', icon.href)

applyTheme()
startRouter()
startClock()
startTasks()
render(<Shell />, document.getElementById('app') as HTMLElement)
