/** The languages that are read, apart from their files: those load chrono-node. */
export const languageCodes = ['en', 'de', 'fr', 'es', 'zh'] as const
export type LanguageCode = (typeof languageCodes)[number]

/** The code of a BCP 47 tag such as `en-GB`, or undefined for another language. */
export function languageCodeOf(tag: string): LanguageCode | undefined {
  const primary = tag.split('-')[0]?.toLowerCase()
  return languageCodes.find((code) => code === primary)
}
