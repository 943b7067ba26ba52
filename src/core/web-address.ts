/** Whether nobody on the way can read or change what goes to a web address: it is encrypted, or never leaves this machine. */
export function isConfidential({ protocol, hostname }: Pick<URL, 'protocol' | 'hostname'>): boolean {
  return protocol === 'https:' || (protocol === 'http:' && ownNames.test(hostname))
}

/** As URL writes them: lower case, addresses whole. */
const ownNames = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/
