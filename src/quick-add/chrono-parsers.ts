import { Chrono } from 'chrono-node/en'

type Configuration = Exclude<ConstructorParameters<typeof Chrono>[0], undefined>

/**
 * The configuration without the parsers that read one of the probes: weekdays and spans are words of the language files. They are
 * found by what they read, because their classes are not exported, and a bundler renames them.
 */
export function keepDatesAndTimes(configuration: Configuration, probes: readonly string[]): Configuration {
  const parsers = configuration.parsers.filter((parser) => {
    const alone = new Chrono({ parsers: [parser], refiners: [] })
    return !probes.some((probe) => alone.parse(probe, new Date(2026, 0, 1, 12)).length > 0)
  })
  return { parsers, refiners: configuration.refiners }
}
