import { isHelpOpen, keys } from '../state/keys.ts'
import { text } from '../text/en.ts'
import { Dialog } from './dialog.tsx'

/** The keys that work now. */
export function Help() {
  if (!isHelpOpen.value) return null
  return (
    <Dialog
      title={text.keyboard}
      onClose={() => {
        isHelpOpen.value = false
      }}
    >
      <div class="body">
        <dl class="keys">
          {keys.value.map(({ key, label }) => (
            <div key={key}>
              <dt>{label}</dt>
              <dd>
                {key.split(' ').map((one) => (
                  <kbd key={one}>{one}</kbd>
                ))}
              </dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  )
}
