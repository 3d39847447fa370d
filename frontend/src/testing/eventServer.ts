/** The server's end of the stream of events, in the hand of a test. */
import { http, HttpResponse } from 'msw'
import { server } from './server'

const encoder = new TextEncoder()

export interface OpenStream {
  lastEventId: string | null
  token: string | null
  isCut: boolean
  send: (text: string) => void
  /** As when the server is killed. */
  break: () => void
  end: () => void
}

/** Every stream that is opened, in order. `place` is where the server says that it begins when it is not asked to resume. */
export function serveEvents({ place = 0 } = {}) {
  const streams: OpenStream[] = []
  server.use(http.get('/api/system/task-events', ({ request }) => {
    const lastEventId = request.headers.get('last-event-id')
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const stream: OpenStream = {
          lastEventId,
          token: request.headers.get('authorization'),
          isCut: false,
          send: (text) => { controller.enqueue(encoder.encode(text)) },
          break: () => { controller.error(new TypeError('network error')) },
          end: () => { controller.close() },
        }
        request.signal.addEventListener('abort', () => { stream.isCut = true })
        streams.push(stream)
        stream.send(`retry: 1000\nid: ${lastEventId ?? place}\n\n`)
      },
    })
    return new HttpResponse(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }))
  return streams
}

export function taskInBrief(change: object = {}) {
  return {
    id: 'task-1', kind: 'backtest' as const, state: 'queued' as const, priority: 0, attempts: 0, max_attempts: 3, cores: 1,
    memory_bytes: 402653184, wall_limit_seconds: 900, cancel_requested_at: null, created_at: '2026-11-20T09:30:00Z',
    queued_at: '2026-11-20T09:30:00Z', started_at: null, finished_at: null, failure: null, is_partial: false, ...change,
  }
}

/** An event as it travels. */
export function sent(id: number, state = 'queued', change: object = {}) {
  const task = taskInBrief({ state, ...change })
  return `event: task_${state}\nid: ${id}\ndata: ${JSON.stringify({ type: `task_${state}`, task })}\n\n`
}
