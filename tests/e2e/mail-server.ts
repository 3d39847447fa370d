/** A mail server that keeps what it is given: for an instance that sends real messages. */
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { patience } from './browser'

export class MailServer {
  private readonly letters: string[] = []
  private constructor(private readonly server: Server) {}

  static async start() {
    const server = createServer()
    const mail = new MailServer(server)
    server.on('connection', (socket) => { mail.converse(socket) })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    return mail
  }

  get url() { return `smtp://127.0.0.1:${(this.server.address() as AddressInfo).port}?from=tidemark@example.com` }

  /** The newest message to somebody, as text. */
  async letterTo(email: string) {
    const deadline = Date.now() + patience
    while (Date.now() < deadline) {
      const letter = this.letters.findLast((text) => text.toLowerCase().includes(`to: ${email.toLowerCase()}`))
      if (letter !== undefined) return { Text: readable(letter) }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`No message to ${email} within ${patience / 1_000} s`)
  }

  stop() { this.server.close() }

  private converse(socket: Socket) {
    let pending = ''
    let isLetter = false
    socket.setEncoding('utf8')
    socket.write('220 mail.test\r\n')
    socket.on('data', (chunk: string) => {
      pending += chunk
      for (;;) {
        const end = isLetter ? pending.indexOf('\r\n.\r\n') : pending.indexOf('\r\n')
        if (end < 0) return
        const said = pending.slice(0, end)
        pending = pending.slice(end + (isLetter ? 5 : 2))
        if (isLetter) this.letters.push(said)
        const isData = !isLetter && /^data/i.test(said)
        isLetter = isData
        socket.write(isData ? '354 go on\r\n' : /^quit/i.test(said) ? '221 bye\r\n' : '250 ok\r\n')
      }
    })
    socket.on('error', () => { socket.destroy() })
  }
}

/** Quoted-printable back to text; it breaks long lines and writes = as =3D. */
function readable(letter: string) {
  return letter.replaceAll('=\r\n', '').replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
