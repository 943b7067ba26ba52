import type { FastifyInstance } from 'fastify'
import { passwordLength } from '#core/account.ts'
import { escapeHtml } from './page.ts'
import { type Entrance, sendEntrance } from './sign-in-layout.ts'

/**
 * Pages by which people come in: `/set-up` and `/invitation` with a code behind the #, which never leaves the browser but in the one
 * request that uses it, and `/sign-in`. Plain forms over the API.
 */
export function signInPageRoutes(server: FastifyInstance, { provider }: { provider: string | null }): void {
  const schema = { hide: true, needs: 'nothing' } as const
  const pages = { '/set-up': setUp, '/invitation': invitation, '/sign-in': signIn(provider) }
  for (const [path, { title, body }] of Object.entries(pages))
    server.get(path, { schema }, async (_, reply) =>
      sendEntrance(reply, { title, body: `${body}\n${withoutScript}`, script }),
    )
}

type Page = Pick<Entrance, 'title' | 'body'>

interface Field {
  readonly label: string
  readonly hint?: string
  readonly attributes: string
}

/** What is wrong with it is told beneath it. */
const field = (name: string, { label, hint = '', attributes }: Field, more = '') => `<div>
<label for="${name}">${label}</label>
<div class="row"><input id="${name}" name="${name}" required ${attributes} aria-describedby="${name}-hint ${name}-fault">${more}</div>
<small id="${name}-hint">${hint}</small><small id="${name}-fault" class="fault"></small>
</div>`

const password = (attributes: string, hint = '') =>
  field(
    'password',
    { label: 'Password', hint, attributes: `type="password" ${attributes}` },
    '<button type="button" class="quiet" data-show aria-label="Show password" aria-pressed="false">Show</button>',
  )

const newPassword = (attributes = '') =>
  password(
    `minlength="${passwordLength.min}" autocomplete="new-password" ${attributes}`,
    `At least ${passwordLength.min} characters. A few words in a row are good.`,
  )

const ofName = 'a-z, 0-9, and between them dots, hyphens and underscores'
const nameField = field('name', {
  label: 'Name',
  hint: `To sign in by: ${ofName}.`,
  attributes: `pattern="[a-z0-9]([a-z0-9._\\-]*[a-z0-9])?" title="${ofName}" maxlength="50" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus`,
})

/** What is wrong with more than a field. */
const said = '<output role="alert"></output>'

const incomplete =
  '<p class="said" data-incomplete hidden>The link is not complete: it ends with a # and a long code. Copy all of it.</p>'

const setUp: Page = {
  title: 'Set up',
  body: `<h1 tabindex="-1">Set up this server</h1>
<p>You are its first user, and administer it. All that is on it already is yours.</p>
${incomplete}
<form data-to="/v1/invitations/accept">
${nameField}
${newPassword()}
${said}
<button>Set up</button>
</form>
<template>
<h1 tabindex="-1">It is set up</h1>
<p>From now on you sign in as <strong data-name></strong>.</p>
<p>This is your first token, for programs. It is shown this once, so keep it: who has it may do everything.</p>
<div class="row"><code data-token></code><button type="button" class="quiet" data-copy>Copy</button></div>
<p class="or"><a class="button" href="/">Go on</a></p>
</template>`,
}

const invitation: Page = {
  title: 'Welcome',
  body: `<h1 tabindex="-1">Welcome to Duebell</h1>
<p>Choose a password<span data-as hidden>. You sign in as <strong data-name></strong></span>.</p>
${incomplete}
<form data-to="/v1/invitations/accept">
<input hidden autocomplete="username" data-username>
${newPassword('autofocus')}
${said}
<button>Set password</button>
</form>`,
}

const signIn = (provider: string | null): Page => ({
  title: 'Sign in',
  body: `<h1 tabindex="-1">Sign in</h1>
<form data-to="/v1/session">
${field('login', { label: 'Name or e-mail address', attributes: 'autocomplete="username" autocapitalize="none" spellcheck="false" autofocus' })}
${password('autocomplete="current-password"')}
${said}
<button>Sign in</button>
</form>${provider === null ? '' : `\n<p class="or"><a class="button quiet" href="/auth/oidc">Sign in with ${escapeHtml(provider)}</a></p>`}`,
})

const withoutScript = '<noscript><p class="said">This page needs JavaScript, of this server alone.</p></noscript>'

/** Behind the # stand the code and, of an invitation, the name after an &. */
const script = `
const form = document.querySelector('form'), said = document.querySelector('output')
const [code, name = ''] = location.hash.slice(1).split('&')
const isByCode = form.dataset.to.startsWith('/v1/invitations')
let isInFlight = false

if (isByCode && code === '') {
  document.querySelector('[data-incomplete]').hidden = false
  form.hidden = true
}
const as = document.querySelector('[data-as]')
if (as && name !== '') {
  as.hidden = false
  as.querySelector('[data-name]').textContent = name
  document.querySelector('[data-username]').value = name
}

for (const button of document.querySelectorAll('[data-show]'))
  button.addEventListener('click', () => {
    const input = button.previousElementSibling, isShown = input.type === 'text'
    input.type = isShown ? 'password' : 'text'
    button.textContent = isShown ? 'Show' : 'Hide'
    button.ariaPressed = String(!isShown)
  })

function tell(faults, otherwise) {
  said.textContent = ''
  for (const { name } of form.elements) if (name) {
    const fault = faults.find(({ pointer }) => pointer === '/' + name)
    const label = form.querySelector('label[for="' + name + '"]')
    form.elements[name].ariaInvalid = String(fault !== undefined)
    document.getElementById(name + '-fault').textContent = fault ? label.textContent + ' ' + fault.detail + '.' : ''
  }
  const first = form.querySelector('[aria-invalid=true]')
  if (first) first.focus()
  else said.textContent = otherwise
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  if (isInFlight) return
  const button = form.querySelector('button:not([type])')
  isInFlight = true
  button.ariaDisabled = 'true'
  tell([], '')
  try {
    const body = { ...Object.fromEntries(new FormData(form)), ...(isByCode && { code }) }
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(form.dataset.to, { method: 'POST', headers, body: JSON.stringify(body) })
    const told = await answer.json()
    if (answer.ok) return finish(told)
    tell(told.errors ?? [], told.detail)
  } catch {
    tell([], 'The server does not answer. Try again in a moment.')
  }
  isInFlight = false
  button.ariaDisabled = 'false'
})

function finish({ token, user }) {
  // The code is used up, and need not stay in the history.
  history.replaceState(null, '', location.pathname)
  const done = document.querySelector('template')
  if (!token || !done) return location.assign('/')
  const main = document.querySelector('main'), mark = document.querySelector('.mark')
  main.replaceChildren(mark, done.content)
  main.querySelector('[data-name]').textContent = user.name
  const shown = main.querySelector('[data-token]')
  shown.textContent = token
  main.querySelector('[data-copy]').addEventListener('click', async ({ target }) => {
    getSelection().selectAllChildren(shown)
    // Elsewhere than over https and on the machine itself a page may not; then it is selected.
    await navigator.clipboard?.writeText(token)
    target.textContent = navigator.clipboard ? 'Copied' : 'Selected'
  })
  main.querySelector('h1').focus()
}
`
