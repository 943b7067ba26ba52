import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Browser, chromium } from 'playwright-core'
import { htmlBody } from '#channels/email-body.ts'
import { toMessageText } from '#channels/message-text.ts'
import { messageAbout } from './messages.ts'

/**
 * The mail in a browser, which renders it like most mail programs. MAIL_PICTURES names a folder for screenshots.
 */
const browser = '/usr/bin/chromium'
const skip = existsSync(browser) ? false : `no browser at ${browser}`
if (skip && process.env.CI === 'true') throw new Error(`${skip}, and CI is to have one`)
const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const pictures = process.env.MAIL_PICTURES

const at = (path: string) => `https://tasks.example.org/a/${path}?sig=3q2-7wAAAAAAAAAAAAAAAA`
const links = { complete: at('complete'), snooze: at('snooze'), acknowledge: at('acknowledge') }
const hour = 3_600_000
const long = `${'Prepare the annual report for the board, '.repeat(5)}https://example.org/${'a'.repeat(120)}`

const letters = {
  usual: messageAbout(
    {
      title: 'Renew passport',
      description: 'Two photos, 35 × 45 mm.\nThe old passport.\n\nRoom 214, second floor.',
      tags: ['errands', 'family', 'before the summer'],
    },
    { links },
  ),
  bare: messageAbout({ title: 'Tea' }),
  late: messageAbout(
    { title: 'Pay the rent', priority: 'high', tags: ['money'] },
    { sentMs: 2 * hour, timing: 'late', links },
  ),
  long: messageAbout(
    { title: long, description: `${long}\n\n${long}`, tags: [long.slice(0, 50), 'x'.repeat(50)] },
    { links },
  ),
  hostile: messageAbout(
    { title: `<script>alert(1)</script> "it's" & \u202egnirts 🎉 דרכון حجز`, tags: ['<img src=x>'] },
    { links },
  ),
  several: {
    ...messageAbout({ title: 'Renew passport', tags: ['errands'] }, { links }),
    others: [
      messageAbout({ title: 'Water the plants', description: 'Not the cactus.' }, { links }),
      messageAbout({ title: long }, { links }),
    ],
  },
}

async function openBrowser(t: TestContext): Promise<Browser> {
  const chrome = await chromium.launch({
    executablePath: browser,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
  })
  t.after(() => chrome.close())
  return chrome
}

interface Seen {
  readonly width: number
  readonly contrast: number
  readonly faintest: string
  readonly lowestButton: number
}

test('a mail fits its window, loads nothing, runs nothing, and is readable in light and dark mode', {
  skip,
}, async (t) => {
  const chrome = await openBrowser(t)
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [720, 360]) {
      const page = await chrome.newPage({ colorScheme, viewport: { width, height: 600 } })
      const asked: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      page.on('dialog', (dialog) => asked.push(dialog.message()))
      for (const [name, message] of Object.entries(letters)) {
        const what = `${name}, ${colorScheme}, ${width} px`
        await page.setContent(htmlBody(toMessageText(message)))
        const seen = await page.evaluate<Seen>(look)
        assert.ok(seen.width <= width, `${what}: ${seen.width} px wide`)
        assert.ok(seen.contrast >= 4.5, `${what}: contrast ${seen.contrast} of «${seen.faintest}»`)
        assert.ok(seen.lowestButton >= 44, `${what}: a button of ${seen.lowestButton} px`)
        if (pictures)
          await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true })
      }
      assert.deepEqual(asked, [])
      await page.close()
    }
})

/** Runs in the page. As text: with the types of the DOM all of this project would have them. */
const look = `(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number)
  // WCAG 2.2, «relative luminance» and «contrast ratio».
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  const backgroundOf = (element) => {
    if (!element) return [255, 255, 255]
    const colour = parse(getComputedStyle(element).backgroundColor)
    return colour[3] === 0 ? backgroundOf(element.parentElement) : colour
  }
  let contrast = 21
  let faintest = ''
  for (const element of document.querySelectorAll('td, span, a')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(backgroundOf(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < contrast) [contrast, faintest] = [ratio, element.innerText]
  }
  const heights = [...document.querySelectorAll('a')].map((button) => button.getBoundingClientRect().height)
  return { width: document.documentElement.scrollWidth, contrast, faintest, lowestButton: Math.min(44, ...heights) }
})()`
