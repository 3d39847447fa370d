import { describe, expect, it } from 'vitest'
import { type Message, MessageReader } from './sse'

const encoder = new TextEncoder()

function read(...pieces: (string | Uint8Array)[]): Message[] {
  const reader = new MessageReader()
  return pieces.flatMap((piece) => reader.read(typeof piece === 'string' ? encoder.encode(piece) : piece))
}

const text = 'retry: 1000\nid: 16\n\nevent: task_running\nid: 17\ndata: {"name":"Überlauf 🌊"}\n\n: \n\nevent: task_progress\ndata: {"percent":40}\n\n'
const messages: Message[] = [
  { event: '', data: '', id: '16' },
  { event: 'task_running', data: '{"name":"Überlauf 🌊"}', id: '17' },
  { event: 'task_progress', data: '{"percent":40}', id: '17' },
]

describe('MessageReader', () => {
  it('reads ids, names and data, and nothing from comments', () => {
    expect(read(text)).toEqual(messages)
  })

  it('does not care where the bytes were cut, be it within a character', () => {
    const bytes = encoder.encode(text)
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(read(bytes.slice(0, cut), bytes.slice(cut)), `cut after ${cut} bytes`).toEqual(messages)
    }
    expect(read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(messages)
  })

  it.each([['\n'], ['\r\n'], ['\r']])('takes %j for a line break, also across a cut', (lineBreak) => {
    const bytes = encoder.encode(text.replaceAll('\n', lineBreak) + ':')
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(read(bytes.slice(0, cut), bytes.slice(cut)), `cut after ${cut} bytes`).toEqual(messages)
    }
  })

  it('joins lines of data, takes one blank away, and keeps what is unfinished to itself', () => {
    expect(read('data:first\ndata:  second\ndata\n\nevent: never\ndata: finished')).toEqual([{ event: '', data: 'first\n second\n', id: '' }])
  })

  it('forgets the name with each message, and the id with none', () => {
    expect(read('event: a\nid: 1\ndata: x\n\ndata: y\n\n')).toEqual([
      { event: 'a', data: 'x', id: '1' }, { event: '', data: 'y', id: '1' },
    ])
  })
})
