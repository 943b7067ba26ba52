import { escapeHtml } from './html.ts'
import { type Entry, type MessageText, plainText } from './message-text.ts'

/**
 * A message as the two parts of a mail (RFC 2046 section 5.1.4): text, and HTML that loads nothing. It uses tables and inline styles, since
 * Outlook and Gmail support little else. Dark colours are in a style element, for clients with `prefers-color-scheme`; other clients invert
 * the light colours themselves.
 */
export function textBody(messageText: MessageText): string {
  const blocks = messageText.entries.map((entry) => {
    const text = plainText({ ...messageText, entries: [entry] })
    const head = messageText.entries.length === 1 ? text : `${entry.title} ${entry.state}\n${text}`
    return [head, entry.actions.map(({ label, url }) => `${label}: ${url}`).join('\n')].filter(Boolean).join('\n\n')
  })
  // RFC 3676 section 4.3: the line before a signature.
  return `${blocks.join('\n\n———\n\n')}\n\n-- \nDuebell\n`
}

export function htmlBody(messageText: MessageText): string {
  const accent = messageText.urgency === 'high' ? 'urgent' : 'normal'
  const { entries } = messageText
  const heading =
    entries.length === 1
      ? ''
      : `<tr><td style="padding:0 4px 14px;${font}font-size:15px;line-height:22px;${colour.quiet}" class="quiet">${entries.length} tasks</td></tr>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<title>${escapeHtml(messageText.subject)}</title>
<style>${darkStyle}</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f3f4f6;-webkit-text-size-adjust:100%">
<div style="display:none;max-height:0;overflow:hidden">${escapeHtml(preview(entries))}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" class="page" style="background:#f3f4f6">
<tr><td align="center" style="padding:28px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px;table-layout:fixed">
${heading}
${entries.map((entry) => card(entry, accent)).join('\n')}
<tr><td style="padding:4px 4px 0;${font}font-size:13px;line-height:20px;${colour.quiet}" class="quiet">Sent by Duebell, because ${entries.length === 1 ? 'a reminder of this task' : 'reminders of these tasks'} fired.</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`
}

const font = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
/** Text on a white card, with a contrast of at least 4.5 : 1 (WCAG 2.2, 1.4.3). */
const colour = { text: 'color:#16181d;', quiet: 'color:#5b6270;', normal: 'color:#3f3cbb;', urgent: 'color:#b42318;' }
const bar = { normal: '#5b57e0', urgent: '#d92d20' }

const darkStyle = `
:root { color-scheme: light dark; supported-color-schemes: light dark }
a { text-decoration: none }
@media (prefers-color-scheme: dark) {
  .page { background: #0f1115 !important }
  .card { background: #1a1d24 !important; border-left-color: #2b303b !important; border-right-color: #2b303b !important; border-bottom-color: #2b303b !important }
  .text { color: #f0f1f4 !important }
  .quiet { color: #a3aab8 !important }
  .normal { color: #b3b1ff !important }
  .urgent { color: #ff9d94 !important }
  .tag { background: #262b35 !important; color: #c3c9d5 !important }
  .first { background: #5f5be6 !important; color: #ffffff !important; border-color: #5f5be6 !important }
  .other { background: #1a1d24 !important; color: #e3e6ec !important; border-color: #454c5a !important }
}
`

function card(entry: Entry, accent: 'normal' | 'urgent'): string {
  const { title, state, when, late, description, tags, actions } = entry
  const size = title.length > longTitle ? 'font-size:18px;line-height:25px' : 'font-size:22px;line-height:29px'
  const parts = [
    row(`${font}font-size:14px;line-height:20px;font-weight:600;${colour[accent]}`, accent, escapeHtml(capital(state))),
    // dir=auto: a title in Arabic or Hebrew has its own direction, and changes nothing else.
    row(
      `padding-top:4px;${font}${size};font-weight:700;${colour.text}${breaking}`,
      'text',
      escapeHtml(title),
      ' dir="auto"',
    ),
    row(`padding-top:8px;${font}font-size:15px;line-height:22px;${colour.quiet}`, 'quiet', escapeHtml(when)),
    late
      ? row(`padding-top:4px;${font}font-size:15px;line-height:22px;${colour.urgent}`, 'urgent', escapeHtml(late))
      : '',
    description
      ? row(
          `padding-top:14px;${font}font-size:16px;line-height:24px;${colour.text}${breaking}`,
          'text',
          escapeHtml(description).replaceAll('\n', '<br>'),
          ' dir="auto"',
        )
      : '',
    tags.length > 0 ? row('padding-top:14px;font-size:0;line-height:0', '', tags.map(tag).join(' ')) : '',
    actions.length > 0
      ? row(
          'padding-top:14px;font-size:0;line-height:0',
          '',
          actions.map(({ label, url }, at) => button(label, url, at === 0)).join(''),
        )
      : '',
  ]
  return `<tr><td style="padding:0 0 14px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" class="card" style="background:#ffffff;border:1px solid #e2e4e9;border-top:4px solid;border-top-color:${bar[accent]};border-radius:10px;border-collapse:separate;table-layout:fixed">
<tr><td style="padding:20px 22px 22px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="table-layout:fixed">
${parts.filter(Boolean).join('\n')}
</table>
</td></tr>
</table>
</td></tr>`
}

/** Characters: three lines on a phone in large type. */
const longTitle = 80

/** Breaks a long title without spaces. */
const breaking = 'overflow-wrap:anywhere;word-break:break-word;'

const row = (style: string, name: string, inner: string, attributes = '') =>
  `<tr><td${name ? ` class="${name}"` : ''}${attributes} style="${style}">${inner}</td></tr>`

const tag = (text: string) =>
  `<span class="tag" dir="auto" style="display:inline-block;margin:0 6px 6px 0;padding:2px 10px;border-radius:10px;background:#eceef2;${font}font-size:13px;line-height:20px;color:#454c5a;${breaking}">${escapeHtml(text)}</span>`

/** 44 px high, the target size of WCAG 2.2, 2.5.5. */
function button(label: string, url: string, isFirst: boolean): string {
  const look = isFirst
    ? 'background:#4b47d6;color:#ffffff;border:1px solid #4b47d6'
    : 'background:#ffffff;color:#24272e;border:1px solid #c9cdd6'
  return `<a href="${escapeHtml(url)}" class="${isFirst ? 'first' : 'other'}" style="display:inline-block;margin:6px 6px 0 0;padding:10px 16px;border-radius:8px;${look};${font}font-size:15px;line-height:22px;font-weight:600;text-decoration:none">${escapeHtml(label)}</a>`
}

/** The preview after the subject in a list of mails. The subject has the title already. */
const preview = (entries: MessageText['entries']) =>
  entries.length === 1
    ? [entries[0].when, entries[0].description].filter(Boolean).join(' · ').slice(0, 160)
    : entries
        .map(({ title, state }) => `${title} ${state}`)
        .join(' · ')
        .slice(0, 160)

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
