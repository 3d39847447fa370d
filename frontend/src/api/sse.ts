/** Server-sent events as the HTML standard reads them: bytes cut anywhere go in, messages come out. */

export interface Message {
  /** Empty for the standard's `message`. */
  event: string
  /** Empty where a block only says how far the stream is. */
  data: string
  /** The last id that was given up to here. */
  id: string
}

export class MessageReader {
  private readonly decoder = new TextDecoder()
  private rest = ''
  private event = ''
  private data: string[] = []
  private id = ''
  private hasNewId = false

  read(bytes: Uint8Array): Message[] {
    // A return at the very end may be half of a line break: it waits for the next byte.
    const lines = (this.rest + this.decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.take(line))
  }

  private take(line: string): Message[] {
    if (line === '') return this.finish()
    const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (name === 'event') this.event = value ?? ''
    else if (name === 'data') this.data.push(value ?? '')
    else if (name === 'id' && !value?.includes('\0')) {
      this.id = value ?? ''
      this.hasNewId = true
    }
    return []
  }

  private finish(): Message[] {
    const message = { event: this.event, data: this.data.join('\n'), id: this.id }
    const says = this.data.length > 0 || this.hasNewId
    this.event = ''
    this.data = []
    this.hasNewId = false
    return says ? [message] : []
  }
}
