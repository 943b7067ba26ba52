import type { FastifyInstance } from 'fastify'
import { passwordLength } from '#core/account.ts'
import { type Page, sendPage } from './layout.ts'
import { escapeHtml } from './page.ts'

/**
 * The pages of first-run setup, of invitations and of sign-in: plain forms that call the API. `/set-up` and `/invitation` have a code after
 * the #, which leaves the browser only in the one request that uses it.
 */
export function signInPageRoutes(server: FastifyInstance, { provider }: { provider: string | null }): void {
  const schema = { hide: true, scope: 'none' } as const
  const pages = { '/set-up': setUp, '/invitation': invitation, '/sign-in': signIn(provider) }
  for (const [path, { title, body }] of Object.entries(pages))
    server.get(path, { schema }, async (_, reply) =>
      sendPage(reply, { title, body: `${body}\n${withoutScript}`, script }, { 'cache-control': 'no-store' }),
    )
}

interface Field {
  readonly label: string
  readonly hint?: string
  readonly attributes: string
}

/** An input with a label, a hint and an error message below it. */
const field = (name: string, { label, hint = '', attributes }: Field, more = '') => `<div>
<label for="${name}">${label}</label>
<div class="row"><input id="${name}" name="${name}" required ${attributes} aria-describedby="${name}-hint ${name}-error">${more}</div>
<small id="${name}-hint">${hint}</small><small id="${name}-error" class="error"></small>
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
    `At least ${passwordLength.min} characters. Several words in a row are a good choice.`,
  )

const nameRule = 'a-z and 0-9, with dots, hyphens and underscores between them'
const nameField = field('name', {
  label: 'Name',
  hint: `You sign in with it: ${nameRule}.`,
  attributes: `pattern="[a-z0-9]([a-z0-9._\\-]*[a-z0-9])?" title="${nameRule}" maxlength="50" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus`,
})

/** Errors that concern no single field. */
const alert = '<output role="alert"></output>'

const incomplete =
  '<p class="note" data-incomplete hidden>The link is not complete. It ends with a # and a long code: copy all of it.</p>'

const setUp: Page = {
  title: 'Set up',
  body: `<h1 tabindex="-1">Set up this server</h1>
<p>You become its first user and administrator. Tasks that exist already are yours.</p>
${incomplete}
<form data-to="v1/invitations/accept">
${nameField}
${newPassword()}
${alert}
<button>Set up</button>
</form>
<template>
<h1 tabindex="-1">Setup is complete</h1>
<p>From now on you sign in as <strong data-name></strong>.</p>
<p>This is your first token, for programs. It is shown only once, so keep it safe: it allows everything.</p>
<div class="row"><code data-token></code><button type="button" class="quiet" data-copy>Copy</button></div>
<p class="or"><a class="button" href="./">Continue</a></p>
</template>`,
}

const invitation: Page = {
  title: 'Welcome',
  body: `<h1 tabindex="-1">Welcome to Duebell</h1>
<p>Choose a password<span data-as hidden>. You sign in as <strong data-name></strong></span>.</p>
${incomplete}
<form data-to="v1/invitations/accept">
<input hidden autocomplete="username" data-username>
${newPassword('autofocus')}
${alert}
<button>Set password</button>
</form>`,
}

const signIn = (provider: string | null): Page => ({
  title: 'Sign in',
  body: `<h1 tabindex="-1">Sign in</h1>
<form data-to="v1/session">
${field('login', { label: 'Name or e-mail address', attributes: 'autocomplete="username" autocapitalize="none" spellcheck="false" autofocus' })}
${password('autocomplete="current-password"')}
${alert}
<button>Sign in</button>
</form>${provider === null ? '' : `\n<p class="or"><a class="button quiet" href="auth/oidc" data-provider>Sign in with ${escapeHtml(provider)}</a></p>`}`,
})

const withoutScript = '<noscript><p class="note">This page needs JavaScript, from this server only.</p></noscript>'

/** The fragment holds the code and, in an invitation, the name after an &. */
const script = `
const form = document.querySelector('form'), output = document.querySelector('output')
const [code, name = ''] = location.hash.slice(1).split('&')
const isByCode = form.dataset.to.startsWith('v1/invitations')
let isInFlight = false

// Where the sign-in leads back to, relative to the root of the app. An address of another server, or a script, is not followed.
const root = new URL('./', location.href)
const returnTo = new URLSearchParams(location.search).get('return_to')
const wanted = returnTo && URL.parse(returnTo, root)
const next = wanted && wanted.origin === root.origin && wanted.pathname.startsWith(root.pathname) ? wanted : root
const provider = document.querySelector('[data-provider]')
if (provider && next !== root) provider.href += '?return_to=' + encodeURIComponent(next.pathname + next.search)

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

function showErrors(errors, detail) {
  output.textContent = ''
  for (const { name } of form.elements) if (name) {
    const error = errors.find(({ pointer }) => pointer === '/' + name)
    const label = form.querySelector('label[for="' + name + '"]')
    form.elements[name].ariaInvalid = String(error !== undefined)
    document.getElementById(name + '-error').textContent = error ? label.textContent + ' ' + error.detail + '.' : ''
  }
  const first = form.querySelector('[aria-invalid=true]')
  if (first) first.focus()
  else output.textContent = detail
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  if (isInFlight) return
  const button = form.querySelector('button:not([type])')
  isInFlight = true
  button.ariaDisabled = 'true'
  showErrors([], '')
  try {
    const body = { ...Object.fromEntries(new FormData(form)), ...(isByCode && { code }) }
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(form.dataset.to, { method: 'POST', headers, body: JSON.stringify(body) })
    const result = await response.json()
    if (response.ok) return finish(result)
    showErrors(result.errors ?? [], result.detail)
  } catch {
    showErrors([], 'The server does not answer. Try again in a moment.')
  }
  isInFlight = false
  button.ariaDisabled = 'false'
})

function finish({ token, user }) {
  // The code has been used, so it need not stay in the history.
  history.replaceState(null, '', location.pathname)
  const done = document.querySelector('template')
  if (!token || !done) return location.assign(next)
  const main = document.querySelector('main'), mark = document.querySelector('.mark')
  main.replaceChildren(mark, done.content)
  main.querySelector('[data-name]').textContent = user.name
  const shown = main.querySelector('[data-token]')
  shown.textContent = token
  main.querySelector('[data-copy]').addEventListener('click', async ({ target }) => {
    getSelection().selectAllChildren(shown)
    // Browsers allow it only over https and on localhost; elsewhere the token is only selected.
    await navigator.clipboard?.writeText(token)
    target.textContent = navigator.clipboard ? 'Copied' : 'Selected'
  })
  main.querySelector('h1').focus()
}
`
