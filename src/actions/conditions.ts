import { Problem } from '#core/problem.ts'
import type { Task } from '#core/task.ts'

/** One version, any version of a list, or any version at all. */
export type Versions = number | readonly number[] | '*'

/** The versions that a caller requires before a change, as If-Match and If-None-Match do (RFC 9110 section 13.1). */
export interface Precondition {
  /** The resource exists in one of these versions. */
  readonly version?: Versions | undefined
  /** The resource exists in none of these versions; `*`: it does not exist. */
  readonly notVersion?: Versions | undefined
}

/** Whether a resource has one of these versions; one that does not exist has none. */
function includesVersion(versions: Versions, version: number | undefined): boolean {
  return version !== undefined && (versions === '*' || [versions].flat().includes(version))
}

/** Whether an existing resource in this version meets the precondition. */
export function meetsPrecondition({ version: wanted, notVersion }: Precondition, version: number): boolean {
  const isOther = wanted !== undefined && !includesVersion(wanted, version)
  return !isOther && !(notVersion !== undefined && includesVersion(notVersion, version))
}

/** @throws Problem `stale` with the task, where there is one */
export function requirePrecondition({ version, notVersion }: Precondition, task: Task | undefined): void {
  if (version !== undefined && !includesVersion(version, task?.version)) {
    if (!task) throw new Problem('stale', 'There is no such task, and the request requires that it exists.')
    const wanted = typeof version === 'object' && version.length === 0 ? '' : `, not ${[version].flat().join(' or ')}`
    throw new Problem('stale', `Task ${task.id} is at version ${task.version}${wanted}.`, { current: task })
  }
  if (task && notVersion !== undefined && includesVersion(notVersion, task.version))
    throw new Problem('stale', `Task ${task.id} already exists, at version ${task.version}.`, { current: task })
}
