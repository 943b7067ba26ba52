import { signal } from '@preact/signals'
import type { VNode } from 'preact'
import { useLayoutEffect } from 'preact/hooks'
import { client } from '../../state/client.ts'
import { type Filter, pathOf, toQuery } from '../../state/filter.ts'

const found = signal(0)

/** Where nothing matches with this status: how many match with any. It is only a hint, so a failure shows nothing. */
export function InAll({ filter, children }: { filter: Filter; children: (count: number) => VNode }) {
  const path = pathOf(filter)
  useLayoutEffect(() => {
    const controller = new AbortController()
    found.value = 0
    const query = { ...toQuery({ ...filter, status: 'all' }), limit: 0, count: true } as const
    client.listTasks(query, { signal: controller.signal }).then(
      ({ total }) => {
        if (!controller.signal.aborted) found.value = total ?? 0
      },
      () => {},
    )
    return () => controller.abort()
  }, [path])
  return found.value > 0 ? children(found.value) : null
}
