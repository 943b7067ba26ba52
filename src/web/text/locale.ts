/** The language of the texts. */
export const language = 'en'

/** The locale of dates and numbers: the user's own form of that language. */
export const locale =
  (typeof navigator === 'undefined' ? [] : navigator.languages).find((name) => name.startsWith(language)) ?? 'en-GB'
