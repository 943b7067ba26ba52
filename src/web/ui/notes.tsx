import { useEffect, useState } from 'preact/hooks'
import { reasonOf, text } from '../text/en.ts'
import { Icon } from './icons.tsx'

/** Says what failed, and offers to try again. */
export function ErrorNote({
  title = text.loadFailed,
  error,
  onRetry,
}: {
  title?: string
  error: unknown
  onRetry: () => void
}) {
  const { problem } = error as { problem?: { request_id: string } }
  return (
    <div class="note bad" role="alert">
      <Icon name="warning" />
      <b>{title}</b>
      <span>
        {reasonOf(error)}
        {problem?.request_id && (
          <>
            {' '}
            {text.request} <code>{problem.request_id}</code>
          </>
        )}
      </span>
      <div class="bar">
        <button class="btn" type="button" onClick={onRetry}>
          {text.tryAgain}
        </button>
      </div>
    </div>
  )
}

const widths = ['72%', '44%', '58%']
/** A placeholder that is shown for less than this only flickers. */
const delayMs = 150

/** The shape of rows, until they are loaded. */
export function Skeleton() {
  const [isShown, show] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => show(true), delayMs)
    return () => clearTimeout(timer)
  }, [])
  if (!isShown) return null
  return (
    <div class="bones" aria-busy="true" role="status">
      <span class="vh">{text.loading}</span>
      {widths.map((width) => (
        <div class="row" aria-hidden="true" key={width}>
          <span class="tick-box" />
          <span class="bone" style={{ '--w': width }} />
          <span class="bone" style={{ '--w': '72px' }} />
        </div>
      ))}
    </div>
  )
}
