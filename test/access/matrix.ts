import { covers, scopes } from '#core/scope.ts'
import type { Account } from './accounts.ts'
import { type Operation, type Reply, type Send, type Sending, toRequest } from './requests.ts'
import { type Refusal, refusalFaults, withoutNames } from './responses.ts'
import { differences, type Snapshot } from './snapshot.ts'

/**
 * The matrix of access: every operation × whoever may not, and who may. For each operation
 *
 *   1. a right request is made, that its user would be answered;
 *   2. everybody who is nobody sends it, then who has too small a scope or role: refused, and nothing has changed;
 *   3. another user names what is not his: he is answered as if it were not there, and it is as it was;
 *   4. its user sends it with exactly the scope that it needs: done, and nothing of anybody else. So 2 and 3 were refused for no other
 *      reason.
 *
 * It knows nothing of how requests are sent, nor of what the operations are about: that is said in rules, and of which it says that one
 * is missing.
 */
export interface Matrix {
  readonly operations: readonly Operation[]
  readonly rules: Rules
  /** Parameters that name nothing of anybody: `query limit`. */
  readonly values: ReadonlySet<string>
  /** The operations that are for everybody. */
  readonly publicOperations: ReadonlySet<string>
  readonly unauthenticatedCallers: readonly UnauthenticatedCaller[]
  /** Administers the server; owns what is asked for; is another user. */
  readonly people: { readonly root: Account; readonly user: Account; readonly other: Account }
  /** Stands in all that is the user's, and in no answer to anybody else. */
  readonly secretWord: string
  readonly send: Send
  readonly takeSnapshot: () => Promise<Snapshot>
}

/** Somebody whom no operation answers that needs anything. */
export interface UnauthenticatedCaller {
  readonly words: string
  readonly headers: Readonly<Record<string, string>>
  /** What he is answered, by the method that he asks with. */
  readonly refusal: (method: string) => Refusal
}

/** By the ids of operations. */
export type Rules = Readonly<Record<string, Rule>>

export interface Rule {
  /** Who asks, where the request would leave them unable to ask again. */
  readonly doer?: () => Promise<Account>
  /** A request that is done. Without it: that of a naming in the path, else the example of the document. */
  readonly right?: (by: Account) => Sending | Promise<Sending>
  readonly namings?: readonly Naming[]
  /** Parameters that name nothing here, though elsewhere they might. */
  readonly values?: readonly string[]
}

/** One thing that an operation is told by name, and that is somebody's. */
export interface Naming {
  /** The parameter that it stands in. */
  readonly at: string
  /** Makes one. `absent` is a name that nothing has; `proof`: how its user asks, where not as others do. */
  readonly make: (of: Account, perform: Perform) => Promise<{ name: string; absent: string; proof?: Sending }>
  /** The request that names it; what else it is about is of who asks. */
  readonly ask: (name: string, by: Account) => Sending | Promise<Sending>
  /** What another user is answered: 404 when absent. */
  readonly status?: number
}

/** Sends a request of the operation itself, with all rights of a person. */
export type Perform = (by: Account, sending: Sending) => Promise<Reply>

export interface Checked {
  /** Requests whose answers were held to what they must be. */
  readonly cells: number
  readonly broken: readonly string[]
  /** The operations that have shown the user his word. */
  readonly shown: ReadonlySet<string>
}

export async function checkAccess(matrix: Matrix): Promise<Checked> {
  const { rules, people, secretWord, send, takeSnapshot } = matrix
  const broken: string[] = []
  const shown = new Set<string>()
  let cells = 0
  let before = await takeSnapshot()

  for (const operation of matrix.operations) {
    const rule = rules[operation.id] ?? {}
    const undeclared = unsaidParameters(operation, rule, matrix.values)
    for (const parameter of undeclared)
      broken.push(`${operation.id}: nobody has said what «${parameter}» names, and of whom (Rules)`)
    if (operation.scope === 'none' && !matrix.publicOperations.has(operation.id))
      broken.push(`${operation.id} is for everybody, and nobody has said that it is meant to be`)
    if (undeclared.some((parameter) => parameter.startsWith('path '))) continue // there is no asking for it
    await check(operation, rule)
  }
  return { cells, broken, shown }

  async function check(operation: Operation, rule: Rule): Promise<void> {
    const doer = (await rule.doer?.()) ?? (operation.adminOnly ? people.root : people.user)
    /** With all rights that this operation takes. */
    const allRights = (by: Account) => (operation.sessionOnly ? { cookie: by.cookie } : bearer(by.tokens.admin))
    const needed = operation.requiredScope ?? (operation.scope === 'none' ? 'read' : operation.scope)
    const methods = operation.method === 'GET' ? ['GET', 'HEAD'] : [operation.method]
    const perform: Perform = (by, sending) => ask(sending, { headers: allRights(by) })
    const right = (by: Account) => rightOf(rule, by, perform)

    async function ask(sending: Sending, { method = operation.method, headers }: Asking): Promise<Reply> {
      const request = toRequest(operation, sending)
      return send({ ...request, method, headers: { ...request.headers, ...headers } })
    }

    /** What must be true of an answer. */
    function judge(words: string, reply: Reply, faults: readonly (string | false)[]): void {
      cells++
      const leak = reply.text.includes(secretWord) && 'the answer tells what is another user’s'
      const found = [...faults, leak].filter((fault) => fault !== false)
      if (found.length > 0) broken.push(`${operation.id}: ${words}: ${found.join('; ')}`)
    }

    /** What has changed since it was asked last. @param user of his things alone */
    async function changed(user?: number): Promise<string | false> {
      const after = await takeSnapshot()
      const places = differences(before, after, user)
      before = after
      return places.length > 0 && `changed: ${places.join(', ')}`
    }

    async function refuses(sending: Sending, { words, headers, refusal }: UnauthenticatedCaller): Promise<void> {
      for (const method of methods) {
        const reply = await ask(sending, { method, headers })
        const faults = refusalFaults(reply, refusal(method), method === 'HEAD')
        judge(`${method} by ${words}`, reply, [...faults, await changed()])
      }
    }

    async function isForEverybody(): Promise<void> {
      // Empty where there is a body: that it is refused for that tells that he came so far.
      const sending = operation.body === undefined ? await right(doer) : { body: {} }
      const nobody = await ask(sending, { headers: {} })
      before = await takeSnapshot()
      for (const { words, headers, refusal } of matrix.unauthenticatedCallers)
        for (const method of methods) {
          const reply = await ask(sending, { method, headers })
          // A page of another site changes nothing, whoever is asked.
          const isFromElsewhere = refusal(method).status === 403
          const expected = isFromElsewhere ? 403 : nobody.status
          const isOther = reply.status !== expected && `${reply.status} and not ${expected}`
          judge(`${method} by ${words}`, reply, [isOther, await changed()])
        }
    }

    async function refusesEverybody(): Promise<void> {
      const sending = await right(doer)
      before = await takeSnapshot()
      for (const caller of matrix.unauthenticatedCallers) await refuses(sending, caller)
      const { scope, adminOnly } = operation
      for (const held of scopes.filter((one) => !covers(one, needed))) {
        const missing = scope === 'none' || covers(held, scope) ? needed : scope
        const challenge = `Bearer realm="Duebell", error="insufficient_scope", scope="${missing}"`
        await refuses(sending, tooLittle(`a token of the scope ${held}`, doer.tokens[held], challenge))
      }
      if (adminOnly)
        await refuses(sending, tooLittle('one who does not administer the server', people.user.tokens.admin, null))
      if (operation.sessionOnly) await refuses(sending, tooLittle('a token of all scopes', doer.tokens.admin, null))
    }

    async function hidesWhatIsAnothers(naming: Naming): Promise<void> {
      const { at, status = 404 } = naming
      const { name, absent, proof } = await naming.make(doer, perform)
      const wanted = operation.adminOnly ? 403 : status
      const by = { headers: allRights(people.other) }
      let answered = ''
      for (const method of methods) {
        const [theirs, nothing] = [await naming.ask(name, people.other), await naming.ask(absent, people.other)]
        before = await takeSnapshot()
        const reply = await ask(theirs, { ...by, method })
        const isOther = reply.status !== wanted && `${reply.status} and not ${wanted} ${reply.text}`
        // What is done to things of his own is done.
        const change = await changed(reply.status < 400 ? doer.id : undefined)
        const none = withoutNames(await ask(nothing, { ...by, method }), absent)
        const shownAs = withoutNames(reply, name)
        if (method !== 'HEAD') answered = shownAs
        const isTold = shownAs !== none && `is told from what is not there:\n${shownAs}\n${none}`
        judge(`${method} with a «${at}» of another user`, reply, [isOther, change, isTold])
      }
      const his = await ask(proof ?? (await naming.ask(name, doer)), { headers: allRights(doer) })
      cells++
      if (withoutNames(his, name) === answered)
        broken.push(
          `${operation.id}: the user of a «${at}» is answered as others are: is it there at all?\n${answered}`,
        )
      if (his.text.includes(secretWord)) shown.add(operation.id)
    }

    async function isDoneForHim(): Promise<void> {
      const isPublic = operation.scope === 'none'
      for (const scope of isPublic ? (['read'] as const) : scopes.filter((one) => covers(one, needed)))
        for (const method of methods) {
          const headers = isPublic ? {} : operation.sessionOnly ? allRights(doer) : bearer(doer.tokens[scope])
          const sending = await right(doer)
          before = await takeSnapshot()
          const reply = await ask(sending, { method, headers })
          const change = await changed(people.other.id)
          cells++
          if (reply.text.includes(secretWord)) shown.add(operation.id)
          const words = `${operation.id}: ${method} with the scope ${scope}`
          if (reply.status >= 300) broken.push(`${words}: ${reply.status} ${reply.text}`)
          if (change) broken.push(`${words}: of another user it has ${change}`)
        }
    }

    /** What is asked for without a name is of who asks. */
    async function isHisOwn(): Promise<void> {
      const { other } = people
      const reply = await ask(await right(other), { headers: bearer(other.tokens.admin) })
      judge('GET by another user', reply, [reply.status >= 300 && `${reply.status} ${reply.text}`])
    }

    if (operation.scope === 'none') await isForEverybody()
    else await refusesEverybody()
    for (const naming of rule.namings ?? []) await hidesWhatIsAnothers(naming)
    await isDoneForHim()
    if (operation.method === 'GET' && !operation.adminOnly) await isHisOwn()
  }
}

interface Asking {
  readonly method?: string
  readonly headers: Readonly<Record<string, string>>
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const tooLittle = (words: string, token: string, challenge: string | null): UnauthenticatedCaller => ({
  words,
  headers: bearer(token),
  refusal: () => ({ status: 403, challenge }),
})

function unsaidParameters({ parameters }: Operation, { namings = [], values = [] }: Rule, plain: ReadonlySet<string>) {
  const declared = new Set([...namings.map(({ at }) => at), ...values])
  return parameters.filter((parameter) => !declared.has(parameter) && !plain.has(parameter))
}

async function rightOf(rule: Rule, by: Account, perform: Perform): Promise<Sending> {
  if (rule.right) return rule.right(by)
  const naming = rule.namings?.find(({ at }) => at.startsWith('path '))
  if (!naming) return {}
  const { name } = await naming.make(by, perform)
  return naming.ask(name, by)
}
