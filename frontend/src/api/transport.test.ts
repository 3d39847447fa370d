import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { exchange, NoAnswer } from './transport'

const heard: { type?: string, body: string }[] = []
let server: Server
let origin = ''

async function answer(request: IncomingMessage, response: ServerResponse) {
  let body = ''
  for await (const piece of request) body += String(piece)
  response.setHeader('Access-Control-Allow-Origin', '*').setHeader('Access-Control-Allow-Headers', '*')
  if (request.url === '/never') return
  if (request.method === 'POST') heard.push({ type: request.headers['content-type'], body })
  response.end(request.url === '/page' ? '<h1>Bad gateway</h1>' : '[1, 2]')
}

beforeAll(async () => {
  server = createServer((request, response) => { void answer(request, response) })
  await new Promise<void>((ready) => { server.listen(0, '127.0.0.1', ready) })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const asked = { method: 'GET', headers: {}, timeoutMilliseconds: 5000 }

describe('exchange', () => {
  it('sends a file as it is and tells how far it got', async () => {
    const sent = vi.fn()
    const body = new Blob(['time,close\n1,2\n'], { type: 'text/csv' })
    expect((await exchange({ ...asked, method: 'POST', path: `${origin}/import`, body, sent })).data).toEqual([1, 2])
    expect(heard).toEqual([{ type: 'text/csv', body: 'time,close\n1,2\n' }])
    expect(sent).toHaveBeenLastCalledWith(body.size)
  })

  it('brings a file as it is and tells how much has come', async () => {
    const received = vi.fn()
    const { data } = await exchange({ ...asked, path: `${origin}/export`, asFile: true, received })
    expect(data).toBeInstanceOf(Blob)
    expect((data as Blob).size).toBe(6)
    expect(received).toHaveBeenLastCalledWith(6)
  })

  it('says that an answer took too long, and does not wait for ever', async () => {
    const failure = await exchange({ ...asked, path: `${origin}/never`, timeoutMilliseconds: 20 }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(NoAnswer)
    expect(failure).toMatchObject({ timedOut: true })
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const work = exchange({ ...asked, path: `${origin}/never`, signal: stop.signal })
    stop.abort()
    await expect(work).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('reads JSON, and leaves other text alone', async () => {
    expect((await exchange({ ...asked, path: `${origin}/list` })).data).toEqual([1, 2])
    expect((await exchange({ ...asked, path: `${origin}/page` })).data).toBe('<h1>Bad gateway</h1>')
  })
})
