/** A Tidemark of one's own, for tests that kill it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const tidemark = process.env.TIDEMARK_COMMAND ?? fileURLToPath(new URL('../../.venv/bin/tidemark', import.meta.url))

export class OwnInstance {
  private process: ChildProcess | undefined
  private constructor(
    private readonly folder: string, private readonly port: number, private readonly settings: Record<string, string>,
  ) {}

  static async start(settings: Record<string, string> = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-outage-'))
    chmodSync(folder, 0o755) // Postgres runs as somebody else when the tests run as root
    const instance = new OwnInstance(folder, await freePort(), settings)
    try {
      await instance.resume()
    } catch (error) {
      await instance.end()
      throw error
    }
    return instance
  }

  get url() { return `http://127.0.0.1:${this.port}` }

  async resume() {
    const options = ['serve', '--data-dir', join(this.folder, 'data'), '--port', String(this.port)]
    this.process = spawn(tidemark, options, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...surroundings(), ...this.settings } })
    const deadline = Date.now() + 60_000
    while (Date.now() < deadline) {
      if (await fetch(`${this.url}/readyz`).then(({ ok }) => ok, () => false)) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`No answer from ${this.url} within 60 s`)
  }

  async kill() {
    const { process: child } = this
    if (child === undefined) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    this.process = undefined
  }

  async end() {
    const { process: child } = this
    if (child?.exitCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** This process's environment without what was meant for another instance. */
function surroundings() {
  const foreign = /^(TIDEMARK_|SUPABASE_|DATABASE_URL|MAILPIT_URL|NODE_ENV|VITEST)/
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
  return { ...inherited, TIDEMARK_RATE_LIMITS: 'off', TIDEMARK_ENV_FILE: '', TIDEMARK_LOG_LEVEL: 'warning' }
}

function freePort() {
  return new Promise<number>((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('No free port'))
        else resolve(address.port)
      })
    })
  })
}
