import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { passwordLength } from '#core/account.ts'
import { escapeHtml, sendPage } from '../page.ts'

/**
 * Pages by which people come in: `/set-up` and `/invitation` with a code behind the #, which never leaves the browser but in the one
 * request that uses it, and `/sign-in`. Plain forms over the API, until the web app brings its own.
 */
export function signInPageRoutes(server: FastifyInstance, { provider }: { provider: string | null }): void {
  const schema = { hide: true, needs: 'nothing' } as const
  server.get('/set-up', { schema }, async (_, reply) => answer(reply, page('Set up Duebell', setUp)))
  server.get('/invitation', { schema }, async (_, reply) => answer(reply, page('Welcome', invitation)))
  server.get('/sign-in', { schema }, async (_, reply) => answer(reply, page('Sign in', signIn(provider))))
}

const password = (autocomplete: string) =>
  `<label>Password<input name="password" type="password" required minlength="${autocomplete === 'new-password' ? passwordLength.least : 1}" autocomplete="${autocomplete}"></label>`

const setUp = `
<h1>Set up this server</h1>
<p>You are its first owner, and administer it. All that is on it already is yours.</p>
<form data-method="POST" data-to="/v1/invitations/accept">
<label>Name<input name="name" required pattern="[a-z0-9][a-z0-9._\\-]*" maxlength="50" autocomplete="username" autocapitalize="none" autofocus><small>a-z, 0-9, dots, hyphens and underscores</small></label>
${password('new-password')}
<button>Set up</button>
</form>`

const invitation = `
<h1>Welcome to Duebell</h1>
<p>Choose a password. Your name stands in what you were sent with this link.</p>
<form data-method="POST" data-to="/v1/invitations/accept">
${password('new-password')}
<button>Set password</button>
</form>`

const signIn = (provider: string | null) => `
<h1>Sign in</h1>
<form data-method="POST" data-to="/v1/session">
<label>Name or e-mail address<input name="login" required autocomplete="username" autocapitalize="none" autofocus></label>
${password('current-password')}
<button>Sign in</button>
</form>${provider === null ? '' : `\n<p class="or"><a href="/auth/oidc">Sign in with ${escapeHtml(provider)}</a></p>`}`

const script = `
const form = document.querySelector('form'), said = document.querySelector('output')
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  said.textContent = ''
  const body = Object.fromEntries(new FormData(form))
  const code = location.hash.slice(1)
  if (form.dataset.to.startsWith('/v1/invitations')) body.code = code
  try {
    const answer = await fetch(form.dataset.to, { method: form.dataset.method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    const told = await answer.json()
    if (!answer.ok) throw new Error(told.detail)
    history.replaceState(null, '', location.pathname)
    if (!told.token) return location.assign('/')
    form.replaceWith(done.content)
    document.querySelector('code').textContent = told.token
  } catch (error) {
    said.textContent = error.message
    button.disabled = false
  }
})
if (form.dataset.to.startsWith('/v1/invitations') && location.hash.length < 2) {
  said.textContent = 'The link is not complete: it ends with a # and a long code.'
  form.querySelector('button').disabled = true
}
`

const done = `<template id="done">
<p>Done. This is your first token, for programs and for <code class="command">curl -H "Authorization: Bearer …"</code>. It is shown this once:</p>
<p><code></code></p>
<p><a href="/sign-in">Sign in</a> · <a href="/docs">The API</a></p>
</template>`

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d1b16, #eae6dc); --soft: light-dark(#6b655a, #9d978a); --paper: light-dark(#faf8f3, #171613); --sunk: light-dark(#f0ece2, #22201c); --accent: light-dark(#a03c1b, #f08a5d) }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, sans-serif }
main { max-width: 24rem; margin: 0 auto; padding: 14vh 1.25rem 3rem }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .5rem }
p { margin: 0 0 1.5rem }
form { display: grid; gap: 1rem }
label { display: grid; gap: .25rem }
small { color: var(--soft) }
input { font: inherit; padding: .6rem .7rem; border: 1px solid var(--soft); border-radius: 6px; background: transparent; color: inherit; min-width: 0 }
button { font: inherit; font-weight: 600; padding: .7rem 1rem; border: 0; border-radius: 6px; background: var(--accent); color: var(--paper); cursor: pointer }
button:disabled { opacity: .5; cursor: default }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
a { color: var(--accent) }
output { display: block; margin-top: 1rem; color: var(--accent); overflow-wrap: anywhere }
code { background: var(--sunk); padding: .15rem .35rem; border-radius: 4px; overflow-wrap: anywhere; font: 14px/1.5 ui-monospace, monospace; user-select: all }
code.command { user-select: text }
.or { margin: 1.5rem 0 0 }
`

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const policy = `script-src ${hashOf(script)}; style-src ${hashOf(style)}; connect-src 'self'`

function answer(reply: FastifyReply, html: string): FastifyReply {
  return sendPage(reply, html, policy, { 'cache-control': 'no-store' })
}

const page = (title: string, body: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Duebell</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>${body}
<output role="alert"></output>
</main>
${done}
<script>${script}</script>
</body>
</html>
`
