import type { Atom } from './atoms.ts'
import type { Scan } from './scan.ts'
import { type Grammar, skipSpace } from './words.ts'

/** Atoms that stand side by side and mean one date: «Friday, 3 March» and «at 9». */
export interface Cluster {
  readonly start: number
  readonly end: number
  readonly atoms: readonly Atom[]
  /** «until» and «starting» matter to a recurrence. */
  readonly role: 'date' | 'until' | 'start'
  /** Where the preposition begins that leaves the title with the date. */
  readonly leadStart: number
  readonly hasPreposition: boolean
}

/** Joins neighbours, and leaves out what is probably ordinary text. */
export function findClusters(
  atoms: readonly Atom[],
  scan: Scan,
  grammar: Grammar,
  recurrenceEnd: number | undefined,
): Cluster[] {
  const groups: Atom[][] = []
  for (const atom of atoms) {
    const group = groups.at(-1)
    if (group && canJoin(group, atom, scan, grammar)) group.push(atom)
    else groups.push([atom])
  }
  const clusters = groups.map((group) => toCluster(group, scan, grammar))
  const ranges = rangesOf(clusters, scan, grammar)
  return clusters.filter((cluster) => !ranges.has(cluster) && isMeant(cluster, scan, grammar, recurrenceEnd))
}

/** Both ends of each range of days: «from Monday to Friday». */
function rangesOf(clusters: readonly Cluster[], scan: Scan, grammar: Grammar): Set<Cluster> {
  const found = new Set<Cluster>()
  for (const [index, first] of clusters.entries()) {
    const second = clusters[index + 1]
    if (!second || ![first, second].every(({ atoms }) => atoms.some(({ day }) => day))) continue
    const to = grammar.at(`\\s*(?:${grammar.language.rangeTo})`)
    to.lastIndex = first.end
    if (!to.test(scan.work) || skipSpace(scan.work, to.lastIndex) !== second.start) continue
    scan.note('not_kept', 'A task has one date, so the range stays in the title.', first.start, second.end)
    found.add(first).add(second)
  }
  return found
}

function canJoin(group: readonly Atom[], atom: Atom, scan: Scan, grammar: Grammar): boolean {
  const last = group.at(-1) as Atom
  const between = scan.work.slice(last.end, atom.start)
  if (!/^\s*[,，、]?\s*$/.test(between)) {
    const { until, starting } = grammar.language.recurrence
    const connector = grammar.at(`\\s*(?:${grammar.language.prepositions})`)
    connector.lastIndex = last.end
    const found = connector.exec(scan.work)
    if (!found || skipSpace(scan.work, connector.lastIndex) !== atom.start) return false
    if (grammar.before(`${until}|${starting}`).test(between)) return false
  }
  const all = [...group, atom]
  const count = (is: (one: Atom) => unknown) => all.filter(is).length
  const isDate = (one: Atom) => one.day && one.day.kind !== 'weekday'
  if (count((one) => one.at !== undefined || one.spanMinutes !== undefined) > 0) return false
  return (
    count((one) => one.time) <= 1 &&
    count((one) => one.part) <= 1 &&
    count(isDate) <= 1 &&
    count((one) => one.day?.kind === 'weekday') <= 1
  )
}

function toCluster(atoms: readonly Atom[], scan: Scan, grammar: Grammar): Cluster {
  const start = (atoms[0] as Atom).start
  const end = (atoms.at(-1) as Atom).end
  const { until, starting } = grammar.language.recurrence
  const before = scan.work.slice(0, start)
  // A phrase may hold its preposition itself.
  const inside = grammar.at(`(?:${until})`)
  inside.lastIndex = start
  const isUntil = grammar.before(until).exec(before)
  const isStart = isUntil ? null : grammar.before(starting).exec(before)
  const isFinal = scan.work.slice(end).trim() === ''
  const preposition =
    isUntil ??
    isStart ??
    grammar.before(grammar.language.prepositions).exec(before) ??
    (isFinal ? grammar.before(grammar.language.finalPrepositions).exec(before) : null)
  return {
    start,
    end,
    atoms,
    role: isUntil || inside.test(scan.work) ? 'until' : isStart ? 'start' : 'date',
    leadStart: preposition?.index ?? start,
    hasPreposition: preposition !== null,
  }
}

function isMeant(cluster: Cluster, scan: Scan, grammar: Grammar, recurrenceEnd: number | undefined): boolean {
  const [only] = cluster.atoms
  const before = scan.work.slice(0, cluster.start)
  const after = scan.work.slice(cluster.end)
  const isBareHour = cluster.atoms.length === 1 && only?.time !== undefined && !only.day && only.isWeak
  // «the sun», and also «the Friday report»; a number is no noun.
  const isNoun =
    !cluster.hasPreposition &&
    !/\d/.test(scan.work.slice(cluster.start, cluster.end)) &&
    grammar.before(grammar.language.articles).test(before)
  if (isNoun) return false
  if (only?.needsDay && cluster.atoms.length === 1) return false
  if (cluster.atoms.length > 1 || !only?.isWeak) return true
  if (recurrenceEnd !== undefined && /^\s*$/.test(scan.work.slice(recurrenceEnd, cluster.leadStart))) return true
  if (/^\s*$/.test(after) || /^\s*[,;:.!?)，。；：]/.test(after)) return true
  if (isBareHour) {
    const follows = grammar.at(`\\s+(?:${grammar.language.afterHour})`)
    follows.lastIndex = cluster.end
    return follows.test(scan.work)
  }
  const hasOwnPreposition =
    /\s/.test(scan.work.slice(cluster.start, cluster.end).trim()) && only.day?.kind !== 'weekday'
  return cluster.hasPreposition || hasOwnPreposition
}
