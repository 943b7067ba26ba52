/** Whether the traffic to a URL cannot be read or changed on its way: it is encrypted, or never leaves this machine. */
export function isConfidential({ protocol, hostname }: Pick<URL, 'protocol' | 'hostname'>): boolean {
  return protocol === 'https:' || (protocol === 'http:' && ownNames.test(hostname))
}

/** As `URL` normalises them: lower case, addresses in full. */
const ownNames = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/
