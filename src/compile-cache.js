import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Stripped and compiled sources are kept, in our own folder: a shared temporary one could be written by others. No TypeScript, and
// imported before main.ts (`node --import`): without that Node loads a compiler to strip that one file, which is 16 MB of a server
// at rest and a tenth of its start.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/duebell', import.meta.url)))
