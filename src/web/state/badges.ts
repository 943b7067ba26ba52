import { signal } from '@preact/signals'

/** Numbers in the navigation. The screens of notifications and channels set them. */
export const unacknowledged = signal(0)
export const failingChannels = signal(0)
