import module from 'node:module'
import { fileURLToPath } from 'node:url'

// The first file that runs, also on a Node that is too old: imports of what such a Node lacks would end in a stack.
function reasonNotToRun() {
  if (Number.parseInt(process.versions.node, 10) < 26)
    return (
      `Duebell needs Node 26, and this is Node ${process.versions.node}. npm installs it before npm start, unless ignore-scripts is set: ` +
      'run npm start --ignore-scripts=false, or use Node 26.'
    )
  try {
    import.meta.resolve('fastify')
    return undefined
  } catch {
    return 'The packages are not installed. Run npm ci, or npm start --ignore-scripts=false.'
  }
}

const reason = reasonNotToRun()
if (reason !== undefined) {
  process.stderr.write(`duebell: ${reason}\n`)
  process.exit(2)
}

// Stripped and compiled sources are kept, in our own folder: a shared temporary one could be written by others. No TypeScript, and
// imported before main.ts (`node --import`): without that Node loads a compiler to strip that one file, which is 16 MB of a server
// at rest and a tenth of its start.
module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/duebell', import.meta.url)))
