/** A Tidemark of one's own, for tests that kill it, or whose tasks must have something to do. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tidemark = process.env.TIDEMARK_COMMAND ?? join(root, '.venv/bin/tidemark')
const python = process.env.TIDEMARK_PYTHON ?? join(root, '.venv/bin/python')

const startMilliseconds = 120_000

export interface NewTask {
  kind: string
  payload: object
  max_attempts?: number
}

export class OwnInstance {
  private process: ChildProcess | undefined
  private gates = 0
  private database: string | undefined
  private constructor(
    private readonly folder: string, private readonly port: number, private readonly settings: Record<string, string>,
    private readonly command: readonly string[],
  ) {}

  static async start(settings: Record<string, string> = {}, command: readonly string[] = [tidemark]) {
    const folder = mkdtempSync(join(tmpdir(), 'tidemark-outage-'))
    chmodSync(folder, 0o755) // Postgres runs as somebody else when the tests run as root
    const instance = new OwnInstance(folder, await freePort(), settings, command)
    try {
      await instance.resume()
    } catch (error) {
      await instance.end()
      throw error
    }
    return instance
  }

  /** One whose tasks do what tests/integration/works.py says. */
  static startWithWorks() {
    return OwnInstance.start({}, [python, '-m', 'tests.serve_with_works'])
  }

  /** One whose exchanges and brokers are tests/vendors/key_vendors.py. */
  static startWithKeyVendors(settings: Record<string, string> = {}) {
    return OwnInstance.start(settings, [python, '-m', 'tests.serve_with_key_vendors'])
  }

  get url() { return `http://127.0.0.1:${this.port}` }

  async resume() {
    const [program = tidemark, ...options] = [...this.command, 'serve', '--data-dir', this.dataDir, '--port', String(this.port)]
    this.process = spawn(program, options, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...surroundings(), TIDEMARK_CACHE_DIR: this.cacheDir, ...this.settings } })
    const deadline = Date.now() + startMilliseconds
    while (Date.now() < deadline && this.process.exitCode === null) {
      if (await isReady(this.url)) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const { exitCode } = this.process
    throw new Error(exitCode === null ? `No answer from ${this.url} within ${startMilliseconds / 1_000} s` : `tidemark serve ended with ${exitCode}`)
  }

  private get dataDir() { return join(this.folder, 'data') }
  private get cacheDir() { return join(this.folder, 'cache') }

  /** Leaves a gap and an outlier in what is stored of a simulated market. */
  async spoilBars(symbol: string, timeframe: string, start: string) {
    await run(python, ['-m', 'tests.e2e.spoil_bars', this.cacheDir, symbol, timeframe, start])
  }

  /** As long as no page can submit a task. Returns the ids. */
  async addTasks(email: string, ...tasks: NewTask[]): Promise<string[]> {
    this.database ??= (JSON.parse(await run(tidemark, ['status', '--data-dir', this.dataDir, '-o', 'json'])) as { DB_URL: string }).DB_URL
    return JSON.parse(await run(python, ['-m', 'tests.e2e.add_tasks', this.database, email], JSON.stringify(tasks))) as string[]
  }

  /** To an administrator, from the next request on. */
  async promote(email: string) {
    await run(tidemark, ['user', 'promote', email, '--data-dir', this.dataDir])
  }

  /** Where a task that counts stops half-way, until it is opened: so nobody has to look while it runs by itself. */
  newGate() {
    const until = join(this.folder, `gate-${this.gates += 1}`)
    return { until, open: () => { writeFileSync(until, '') } }
  }

  async kill() {
    const { process: child } = this
    if (child === undefined) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    this.process = undefined
    this.database = undefined // the next one may listen elsewhere
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

function run(program: string, options: string[], input = '') {
  return new Promise<string>((resolve, reject) => {
    const child = execFile(program, options, { cwd: root, env: surroundings() }, (error, stdout) => {
      if (error === null) resolve(stdout)
      else reject(error)
    })
    child.stdin?.end(input)
  })
}

/** This process's environment without what was meant for another instance. */
function surroundings() {
  const foreign = /^(TIDEMARK_|SUPABASE_|DATABASE_URL|MAILPIT_URL|NODE_ENV|VITEST)/
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
  return { ...inherited, TIDEMARK_RATE_LIMITS: 'off', TIDEMARK_ENV_FILE: '', TIDEMARK_TASK_NICENESS: '5', TIDEMARK_LOG_LEVEL: 'warning' }
}

async function isReady(url: string) {
  return await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(10_000) }).then(({ ok }) => ok, () => false)
}

/** Below those that the system gives to whoever connects: one of those is taken by somebody while a killed server is away. */
async function freePort() {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 20_000 + randomInt(12_000)
    if (await canListen(port)) return port
  }
  throw new Error('No free port')
}

function canListen(port: number) {
  return new Promise<boolean>((resolve) => {
    const probe = createServer()
    probe.once('error', () => { resolve(false) })
    probe.listen(port, '127.0.0.1', () => { probe.close(() => { resolve(true) }) })
  })
}
