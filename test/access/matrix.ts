import { covers, scopes } from '#core/scope.ts'
import type { Account } from './accounts.ts'
import { type Operation, type Reply, type Send, type Sending, toRequest } from './requests.ts'
import { type Refusal, refusalFaults, withoutNames } from './responses.ts'
import { differences, type Snapshot } from './snapshot.ts'

/**
 * The matrix of access: every operation × callers without and with permission. For each operation
 *
 * 1. a valid request is made, which the server would accept from its user;
 * 2. unauthenticated callers send it, then callers with too small a scope or role: refused, and nothing has changed;
 * 3. another user names an object of the user: the response is as if it did not exist, and the object is unchanged;
 * 4. its user sends it with exactly the required scope: accepted, and no object of another user changed. So 2 and 3 were refused for no
 * other reason.
 *
 * The matrix knows neither the transport nor the operations: the rules do, and the matrix reports missing ones.
 */
export interface Matrix {
  readonly operations: readonly Operation[]
  readonly rules: Rules
  /** Parameters that name no object of a user: `query limit`. */
  readonly values: ReadonlySet<string>
  /** The public operations. */
  readonly publicOperations: ReadonlySet<string>
  readonly unauthenticatedCallers: readonly UnauthenticatedCaller[]
  /** `root` administers the server, `user` owns the objects, `other` is another user. */
  readonly people: { readonly root: Account; readonly user: Account; readonly other: Account }
  /** Contained in all objects of the user, and in no response to another caller. */
  readonly secretWord: string
  readonly send: Send
  readonly takeSnapshot: () => Promise<Snapshot>
}

/** A caller that every operation refuses if it needs a scope. */
export interface UnauthenticatedCaller {
  readonly words: string
  readonly headers: Readonly<Record<string, string>>
  /** The expected refusal, by the method of the request. */
  readonly refusal: (method: string) => Refusal
}

/** By the ids of operations. */
export type Rules = Readonly<Record<string, Rule>>

export interface Rule {
  /** The account that sends the request, if the request would end its own access. */
  readonly doer?: () => Promise<Account>
  /** A request that is accepted. The default is that of a naming in the path, or else the example of the document. */
  readonly right?: (by: Account) => Sending | Promise<Sending>
  readonly namings?: readonly Naming[]
  /** Parameters that name nothing in this operation, although elsewhere they might. */
  readonly values?: readonly string[]
}

/** One object that a request names, and that belongs to a user. */
export interface Naming {
  /** The parameter with the name. */
  readonly at: string
  /** Creates an object. `absent` is a name of no object; `proof` is the request of the user, if it differs from that of others. */
  readonly make: (of: Account, perform: Perform) => Promise<{ name: string; absent: string; proof?: Sending }>
  /** The request that names it; all other parts concern the caller. */
  readonly ask: (name: string, by: Account) => Sending | Promise<Sending>
  /** The expected status for another user: 404 by default. */
  readonly status?: number
}

/** Sends a request of the operation itself, with all permissions of a person. */
export type Perform = (by: Account, sending: Sending) => Promise<Reply>

export interface Checked {
  /** Responses that were checked. */
  readonly cells: number
  readonly broken: readonly string[]
  /** The operations that showed the user their word. */
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
      broken.push(`${operation.id}: no rule says what «${parameter}» names, and whose object it is (Rules)`)
    if (operation.scope === 'none' && !matrix.publicOperations.has(operation.id))
      broken.push(`${operation.id} is public, and no rule says that it is meant to be`)
    if (undeclared.some((parameter) => parameter.startsWith('path '))) continue // no request can be made
    await check(operation, rule)
  }
  return { cells, broken, shown }

  async function check(operation: Operation, rule: Rule): Promise<void> {
    const doer = (await rule.doer?.()) ?? (operation.adminOnly ? people.root : people.user)
    /** All permissions that this operation accepts. */
    const allRights = (by: Account) => (operation.sessionOnly ? { cookie: by.cookie } : bearer(by.tokens.admin))
    const needed = operation.requiredScope ?? (operation.scope === 'none' ? 'read' : operation.scope)
    const methods = operation.method === 'GET' ? ['GET', 'HEAD'] : [operation.method]
    const perform: Perform = (by, sending) => ask(sending, { headers: allRights(by) })
    const right = (by: Account) => rightOf(rule, by, perform)

    async function ask(sending: Sending, { method = operation.method, headers }: Asking): Promise<Reply> {
      const request = toRequest(operation, sending)
      return send({ ...request, method, headers: { ...request.headers, ...headers } })
    }

    /** Checks a response. */
    function judge(words: string, reply: Reply, faults: readonly (string | false)[]): void {
      cells++
      const leak = reply.text.includes(secretWord) && 'the response contains data of another user'
      const found = [...faults, leak].filter((fault) => fault !== false)
      if (found.length > 0) broken.push(`${operation.id}: ${words}: ${found.join('; ')}`)
    }

    /** The changes since the previous call. @param user only changes of this user's objects */
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

    async function checkPublicOperation(): Promise<void> {
      // Empty if there is a body: a refusal of the body shows that the caller reached the handler.
      const sending = operation.body === undefined ? await right(doer) : { body: {} }
      const anonymous = await ask(sending, { headers: {} })
      before = await takeSnapshot()
      for (const { words, headers, refusal } of matrix.unauthenticatedCallers)
        for (const method of methods) {
          const reply = await ask(sending, { method, headers })
          // A page of another site changes nothing, by any operation.
          const isFromElsewhere = refusal(method).status === 403
          const expected = isFromElsewhere ? 403 : anonymous.status
          const isOther = reply.status !== expected && `${reply.status} and not ${expected}`
          judge(`${method} by ${words}`, reply, [isOther, await changed()])
        }
    }

    async function checkRefusals(): Promise<void> {
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
        await refuses(sending, tooLittle('a user who does not administer the server', people.user.tokens.admin, null))
      if (operation.sessionOnly) await refuses(sending, tooLittle('a token of all scopes', doer.tokens.admin, null))
    }

    async function checkOtherUser(naming: Naming): Promise<void> {
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
        // A request may change objects of its own caller.
        const change = await changed(reply.status < 400 ? doer.id : undefined)
        const none = withoutNames(await ask(nothing, { ...by, method }), absent)
        const shownAs = withoutNames(reply, name)
        if (method !== 'HEAD') answered = shownAs
        const isDistinguishable =
          shownAs !== none && `differs from the response for a missing object:\n${shownAs}\n${none}`
        judge(`${method} with a «${at}» of another user`, reply, [isOther, change, isDistinguishable])
      }
      const ofUser = await ask(proof ?? (await naming.ask(name, doer)), { headers: allRights(doer) })
      cells++
      if (withoutNames(ofUser, name) === answered)
        broken.push(
          `${operation.id}: the user of a «${at}» gets the same response as others: does it exist?\n${answered}`,
        )
      if (ofUser.text.includes(secretWord)) shown.add(operation.id)
    }

    async function checkUser(): Promise<void> {
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
          if (change) broken.push(`${words}: for another user it has ${change}`)
        }
    }

    /** A request without a name concerns the objects of its caller. */
    async function checkOwnObjects(): Promise<void> {
      const { other } = people
      const reply = await ask(await right(other), { headers: bearer(other.tokens.admin) })
      judge('GET by another user', reply, [reply.status >= 300 && `${reply.status} ${reply.text}`])
    }

    if (operation.scope === 'none') await checkPublicOperation()
    else await checkRefusals()
    for (const naming of rule.namings ?? []) await checkOtherUser(naming)
    await checkUser()
    if (operation.method === 'GET' && !operation.adminOnly) await checkOwnObjects()
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
