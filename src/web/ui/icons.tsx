/** Icons of 16 px, drawn with the colour of the text around them. All are beside words, so they have none of their own. */
const paths = {
  expiring: 'M1 10.5h14M5 4v6.5',
  more: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  check: 'm3.5 8.5 3 3 6-7',
  back: 'm10 3-5 5 5 5',
  close: 'm4 4 8 8M12 4l-8 8',
  warning: 'M8 2.5 14.5 13.5h-13zM8 6.5v3M8 11.5v.01',
  retry: 'M13 8a5 5 0 1 1-1.5-3.5M13 2.5v3h-3',
  repeat: 'M3 7a5 5 0 0 1 9-2.5M13 2v3h-3M13 9a5 5 0 0 1-9 2.5M3 14v-3h3',
  info: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 7.5V11M8 5v.01',
} as const

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
      {name === 'expiring' && <circle cx="11" cy="10.5" r="2" fill="currentColor" stroke="none" />}
    </svg>
  )
}
