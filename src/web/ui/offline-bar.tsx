import { formatClock } from '../format/dates.ts'
import { offlineSince } from '../state/client.ts'
import { zone } from '../state/settings.ts'
import { text } from '../text/en.ts'
import { Icon } from './icons.tsx'

export function OfflineBar() {
  const since = offlineSince.value
  return (
    <div role="status">
      {since !== null && (
        <div class="off">
          <Icon name="retry" />
          <span>
            <b>{text.offline(formatClock(since, zone()))}</b> {text.offlineHint}
          </span>
        </div>
      )}
    </div>
  )
}
