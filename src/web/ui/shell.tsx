import type { ComponentType } from 'preact'
import { navigate, route, type ScreenName } from '../router.ts'
import { Expiring } from '../screens/expiring.tsx'
import { focusQuickAdd } from '../state/draft.ts'
import { isHelpOpen, type Key, startKeys, useKeys } from '../state/keys.ts'
import { undoLast } from '../state/toast.ts'
import { text } from '../text/en.ts'
import { Help } from './help.tsx'
import { lazy } from './lazy.tsx'
import { SideBar, TabBar } from './navigation.tsx'
import { OfflineBar } from './offline-bar.tsx'
import { Page } from './page.tsx'
import { SnoozeMenu } from './snooze.tsx'
import { Toast } from './toast.tsx'

/** The first screen is in the shell; the others are loaded when they are first shown. */
const screens: Readonly<Record<ScreenName, ComponentType>> = {
  expiring: Expiring,
  all: lazy(async () => (await import('../screens/all.tsx')).All),
  done: lazy(async () => (await import('../screens/done.tsx')).Done),
  task: lazy(async () => (await import('../screens/task.tsx')).Task),
}

const Missing = () => <Page title={text.missing} lead={text.missingHint} />

const shellKeys: readonly Key[] = [
  { key: 'n', label: text.keys.add, run: focusQuickAdd },
  { key: 'z', label: text.keys.undo, run: undoLast },
  { key: 'g e', label: text.keys.goExpiring, run: () => navigate('') },
  { key: 'g a', label: text.keys.goAll, run: () => navigate('all') },
  {
    key: '?',
    label: text.keys.help,
    run: () => {
      isHelpOpen.value = true
    },
  },
]

startKeys()

/** The frame around every screen. */
export function Shell() {
  useKeys(shellKeys)
  const { name } = route.value
  const Screen = name === 'missing' ? Missing : screens[name]
  return (
    <>
      <a class="skip" href="#main">
        {text.skip}
      </a>
      <OfflineBar />
      <div class="app">
        <SideBar />
        <Screen />
        <TabBar />
        <Toast />
      </div>
      <SnoozeMenu />
      <Help />
    </>
  )
}
