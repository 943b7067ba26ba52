const maxLength = 60

/** A title inside a sentence: in quotation marks, isolated from the direction of the rest, and not too long. */
export function quoted(title: string): string {
  const characters = [...title]
  const short = characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join('')}…` : title
  return `“\u2068${short}\u2069”`
}
