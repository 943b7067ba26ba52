import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { startTestApp, type TestApp, type TestAppOptions } from '#support/test-app.ts'

/** The web app in the system's Chromium, over a server in the process of the test. Both have the time of the fake clock. */
const browser = '/usr/bin/chromium'
export const skip = existsSync(browser) ? false : `no browser at ${browser}`
if (skip && process.env.CI === 'true') throw new Error(`${skip}, and CI is to have one`)

const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
/** Names a folder for pictures of what `assertAccessible` has checked. */
const pictures = process.env.WEB_PICTURES

export interface WebPage {
  readonly page: Page
  readonly context: BrowserContext
  /** Its faults: requests elsewhere, violations of its policy, errors. */
  readonly complaints: string[]
  /** Opens a path below the root, and waits for the heading. */
  goTo(path: string): Promise<void>
  /** Moves the clocks of the server and of the page together. */
  advance(ms: number): Promise<void>
}

export interface OpenOptions {
  readonly url?: string
  readonly width?: number
  readonly zone?: string
}

/** Builds the app if a source is newer than the build, as `npm start` does. */
async function ensureBuilt(): Promise<void> {
  const script = new URL('../../scripts/build-web.mjs', import.meta.url)
  const { isBuilt } = (await import(script.href)) as { isBuilt: () => boolean }
  if (isBuilt()) return
  const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(script)], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

/** A server, whose time is that of the mock: a Monday at 13:00:18 in Berlin. */
export async function startWebApp(t: TestContext, options: TestAppOptions = {}): Promise<TestApp> {
  await ensureBuilt()
  const flags = ['--time-zone=Europe/Berlin', ...(options.flags ?? [])]
  return startTestApp(t, { startAt: '2026-11-23T12:00:18Z', ...options, flags })
}

export async function openWebPage(t: TestContext, app: TestApp, options: OpenOptions = {}): Promise<WebPage> {
  const { url = app.url, width = 1180 } = options
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet]
  const chrome = await chromium.launch({ executablePath: browser, args })
  t.after(() => chrome.close())
  const viewport = { width, height: width < 720 ? 844 : 900 }
  const context = await chrome.newContext({ viewport, locale: 'en-GB', timezoneId: 'UTC' })
  const page = await context.newPage()
  page.setDefaultTimeout(30_000)
  // It runs until it is paused, and cannot be set back.
  await page.clock.install({ time: app.clock.now() - 60_000 })
  await page.clock.pauseAt(app.clock.now())
  const complaints: string[] = []
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(request.url())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  return {
    page,
    context,
    complaints,
    async goTo(path) {
      await page.goto(`${url}/${path}`)
      await page.locator('h1').waitFor()
    },
    async advance(ms) {
      await app.clock.advance(ms)
      await page.clock.runFor(ms)
    },
  }
}

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** No violation of WCAG 2.2 A or AA, and nothing wider than the window: on a phone and a desk, in light and dark. */
export async function assertAccessible({ page }: WebPage, name: string): Promise<void> {
  for (const width of [390, 1180])
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: width < 720 ? 844 : 900 })
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth')
      assert.ok(wide <= width, `${name}: ${wide} px wide at ${width}`)
      if (pictures) await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`) })
      assert.deepEqual(await violations(page), [], `${name} at ${width} px, ${colorScheme}`)
    }
}

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary: string }[]
}

/** The checker runs in a world of its own, where the page's policy does not forbid it. */
async function violations(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  try {
    const { frameTree } = await session.send('Page.getFrameTree')
    const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', {
      frameId: frameTree.frame.id,
    })
    const { readFileSync } = await import('node:fs')
    await session.send('Runtime.evaluate', { expression: readFileSync(axe, 'utf8'), contextId })
    const options = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }
    const { result } = await session.send('Runtime.evaluate', {
      expression: `axe.run(document, ${JSON.stringify(options)}).then((result) => result.violations)`,
      contextId,
      awaitPromise: true,
      returnByValue: true,
    })
    return (result.value as Violation[]).flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
    )
  } finally {
    await session.detach()
  }
}
