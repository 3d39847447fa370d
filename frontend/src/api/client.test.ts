import { delay, http, HttpResponse } from 'msw'
import { describe, expect, it, vi } from 'vitest'
import { problem, server, useServer } from '@/testing/server'
import { ApiError, reportTo, request, takeTokensFrom } from './client'

useServer()

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(() => null, (reason: unknown) => reason)
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

describe('request', () => {
  it('sends bearer, version and idempotency key, and hands back the ETag', async () => {
    takeTokensFrom({ token: () => Promise.resolve('a-token') })
    let seen: Headers | undefined
    server.use(http.patch('/api/me', ({ request: sent }) => {
      seen = sent.headers
      return HttpResponse.json({ ok: true }, { headers: { 'ETag': '"4"', 'X-Request-ID': 'req-7' } })
    }))
    const reply = await request('PATCH', '/api/me', { body: { display_name: 'Ada' }, ifMatch: '"3"', idempotencyKey: 'k-1' })
    expect(reply).toMatchObject({ data: { ok: true }, etag: '"4"', requestId: 'req-7', status: 200 })
    expect(seen?.get('authorization')).toBe('Bearer a-token')
    expect(seen?.get('if-match')).toBe('"3"')
    expect(seen?.get('idempotency-key')).toBe('k-1')
  })

  it('says in plain words what a check of shape found', async () => {
    const details = ['String should have at most 40 characters.', 'Input should be greater than or equal to 0.', 'Input should be less than 5.', 'Choose one.']
    server.use(http.post('/api/x', () => HttpResponse.json({ title: 'Wrong', errors: details.map((detail) => ({ pointer: '/x', detail })) }, { status: 422 })))
    expect((await failureOf(request('POST', '/api/x'))).errors.map(({ detail }) => detail)).toEqual([
      'This has to have at most 40 characters.', 'This has to be at least 0.', 'This has to be less than 5.', 'Choose one.',
    ])
  })

  it('keeps the token to itself where nobody needs to be known', async () => {
    takeTokensFrom({ token: () => Promise.resolve('a-token') })
    server.use(http.get('/api/config', ({ request: sent }) => HttpResponse.json({ bearer: sent.headers.get('authorization') })))
    expect((await request('GET', '/api/config', { anonymous: true })).data).toEqual({ bearer: null })
  })

  it('asks for a fresh token once when the one it had is refused', async () => {
    const token = vi.fn(({ renew } = { renew: false }) => Promise.resolve(renew ? 'fresh' : 'stale'))
    takeTokensFrom({ token })
    server.use(http.get('/api/me', ({ request: sent }) => sent.headers.get('authorization') === 'Bearer fresh'
      ? HttpResponse.json({ ok: true })
      : problem(401, 'token_rejected', 'This access token is not valid')))
    expect((await request('GET', '/api/me')).data).toEqual({ ok: true })
    expect(token).toHaveBeenCalledTimes(2)
  })

  it('asks Auth whether the session is over when the account is suspended, and tells why', async () => {
    const token = vi.fn(({ renew } = { renew: false }) => Promise.resolve(renew ? null : 'kept'))
    takeTokensFrom({ token })
    server.use(http.get('/api/me', () => problem(403, 'account_suspended', 'This account is suspended')))
    expect(await failureOf(request('GET', '/api/me'))).toMatchObject({ status: 403, code: 'account_suspended' })
    expect(token.mock.calls).toEqual([[], [{ renew: true }]])
    server.use(http.get('/api/me', () => problem(403, 'scope_missing', 'Not with this token')))
    await failureOf(request('GET', '/api/me'))
    expect(token).toHaveBeenCalledTimes(3)
  })

  it('tells what a problem says: code, text, request id, fields and when to come back', async () => {
    server.use(http.patch('/api/me', () => HttpResponse.json({
      status: 422, code: 'invalid_input', title: 'Some input is not valid', detail: 'Correct it.', request_id: 'req-9',
      errors: [{ pointer: '/display_name', detail: 'Too long.' }],
    }, { status: 422, headers: { 'Retry-After': '7' } })))
    const error = await failureOf(request('PATCH', '/api/me'))
    expect(error).toMatchObject({ status: 422, code: 'invalid_input', requestId: 'req-9', retryAfterSeconds: 7, mayPass: false })
    expect(error.problemOf('display_name')).toBe('Too long.')
    expect(error.explanation).toBe('Some input is not valid. Correct it.')
  })

  it('says each sentence once when the detail repeats the title', async () => {
    server.use(http.get('/api/me', () => problem(404, 'not_found', 'Not found')))
    expect((await failureOf(request('GET', '/api/me'))).explanation).toBe('Not found.')
  })

  it('stays readable when something between answers with a page', async () => {
    server.use(http.get('/api/me', () => HttpResponse.html('<h1>Bad gateway</h1>', { status: 502 })))
    expect(await failureOf(request('GET', '/api/me'))).toMatchObject({ status: 502, title: 'The server answered 502', mayPass: true })
  })

  it('names a server that does not answer, and reports it', async () => {
    const unreachable = vi.fn()
    reportTo({ answered: () => undefined, unreachable })
    server.use(http.get('/api/me', () => HttpResponse.error()))
    const error = await failureOf(request('GET', '/api/me'))
    expect(error).toMatchObject({ status: 0, code: 'unreachable', isUnreachable: true })
    expect(error.explanation).toMatch(/does not answer\. Check that it is running/)
    expect(unreachable).toHaveBeenCalledOnce()
  })

  it('does not call a cancelled request a failure of the server', async () => {
    const unreachable = vi.fn()
    reportTo({ answered: () => undefined, unreachable })
    server.use(http.get('/api/me', async () => {
      await delay('infinite')
      return HttpResponse.json({})
    }))
    const stop = new AbortController()
    const work = request('GET', '/api/me', { signal: stop.signal })
    setTimeout(() => { stop.abort() }, 20)
    await expect(work).rejects.not.toBeInstanceOf(ApiError)
    expect(unreachable).not.toHaveBeenCalled()
  })

  it('does not send what was cancelled before', async () => {
    await expect(request('GET', '/api/me', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('asks for what is given, and escapes it', async () => {
    let asked = ''
    server.use(http.get('/api/tasks', ({ request: sent }) => {
      asked = new URL(sent.url).search
      return HttpResponse.json([])
    }))
    await request('GET', '/api/tasks', { query: { kind: 'a & b', cursor: undefined, limit: 20, open: false } })
    expect(asked).toBe('?kind=a+%26+b&limit=20&open=false')
  })

  it('takes an answer without a body', async () => {
    server.use(http.delete('/api/me/tokens/1', () => new HttpResponse(null, { status: 204 })))
    expect(await request('DELETE', '/api/me/tokens/1')).toMatchObject({ status: 204, data: null })
  })
})
