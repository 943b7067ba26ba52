/** Every script is a file in `assets/`, so the root of the app is one level up, also below a path of a proxy. */
const script = import.meta.url

/** The URL of the root of the app; ends with a slash. */
export const base = new URL('..', script)
