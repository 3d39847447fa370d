/** A Tidemark that may be killed, sends its mail here, and tries keys at vendors of its own; several suites share one. */
import type { Browser } from 'playwright-core'
import { launch, leave } from './browser'
import { MailServer } from './mail-server'
import { OwnInstance } from './own-instance'

export interface World {
  browser: Browser
  mail: MailServer
  tidemark: OwnInstance
}

export async function openWorld(): Promise<World> {
  const [browser, mail] = await Promise.all([launch(), MailServer.start()])
  return { browser, mail, tidemark: await OwnInstance.startWithKeyVendors({ TIDEMARK_SMTP_URL: mail.url }) }
}

export async function closeWorld({ browser, mail, tidemark }: World) {
  await leave(browser)
  await tidemark.end()
  mail.stop()
}
