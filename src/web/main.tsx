import { render } from 'preact'
import { startRouter } from './router.ts'
import { startTasks } from './state/tasks.ts'
import { applyTheme } from './state/theme.ts'
import { startClock } from './state/time.ts'
import { Shell } from './ui/shell.tsx'

applyTheme()
startRouter()
startClock()
startTasks()
render(<Shell />, document.getElementById('app') as HTMLElement)
