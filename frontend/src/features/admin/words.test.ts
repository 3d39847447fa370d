/** The administration without a page: what is asked for, what is sent, and what is said before a change. */
import { describe, expect, it } from 'vitest'
import { adaId, line, plan, user } from '@/testing/administration'
import { actorOf, detailsOf, filterOf, subjectOf, summaryOf } from './audit/auditWords'
import { foundIn, nameOfLimit, valueOf } from './limits/limitWords'
import { nameOf } from './people'
import { consequencesOf, nameProblem, numbersOf, problemOf, typedFrom } from './plans/planForm'
import { columns as taskColumns, narrowColumns } from './tasks/columns'
import { planCommands, restoreCommands, roleCommands, suspendCommands } from './users/userCommands'
import { hoursOf, planConsequences, suspendConsequences, suspensionWords, usageOf } from './users/userWords'

const now = new Date('2026-11-27T12:00:00Z')

describe('somebody', () => {
  it('is called by the address, the name, or a piece of the id', () => {
    expect(nameOf(user())).toBe('ada@example.com')
    expect(nameOf(user({ email: null }))).toBe('Ada')
    expect(nameOf(user({ email: null, display_name: '' }))).toBe('Account 7c9e6679')
    expect(nameOf({ email: null, id: null })).toBe('The installation')
  })

  it('uses so much of what the plan gives, also where it gives nothing', () => {
    const { usage, quotas } = user()
    const shown = usageOf(user({ quotas: { ...quotas, most_models: 0 }, usage: { ...usage, series: 0 } }))
    expect(shown.map(({ label, share, text }) => [label, share, text])).toEqual([
      ['Tasks that wait', 0.003, '3 of 1,000'], ['Tasks that run', 1 / 16, '1 of 16'], ['Backtests kept', 0.0206, '412 of 20,000'],
      ['Models kept', 1, '7 of 0'], ['Exchange keys', 0.1, '2 of 20'], ['Disk', 0.5, '1.0 GiB of 2.0 GiB'],
    ])
    expect(shown.at(-1)?.hint).toBe('')
  })

  it('is suspended for whole hours up to a year, or for good', () => {
    expect(['1', '720'].map((chosen) => hoursOf(chosen as '1', null))).toEqual([1, 720])
    expect(hoursOf('ever', null)).toBeNull()
    expect(hoursOf('hours', '36')).toBe(36)
    for (const typed of [null, '', '0', '1.5', '8761', '-2']) expect(hoursOf('hours', typed)).toBeUndefined()
  })

  it('is told to be suspended until a moment, or until somebody restores', () => {
    expect(suspensionWords('2026-11-28T12:00:00Z', now)).toBe('until 2026-11-28 12:00 UTC')
    expect(suspensionWords('2126-11-27T12:00:00Z', now)).toBe('until somebody restores it')
  })

  it('loses tasks by a suspension, which is said with numbers', () => {
    expect(suspendConsequences(user())).toContain('4 tasks end: what waits is cancelled, what runs is stopped.')
    const { usage } = user()
    expect(suspendConsequences(user({ usage: { ...usage, queued: 0, running: 0 } })).join(' ')).not.toContain('end:')
  })

  it('is told what is above a smaller plan', () => {
    const said = planConsequences(user(), plan({ most_backtests: 100, most_models: 7 }))
    expect(said).toHaveLength(2)
    expect(said[1]).toMatch(/^Now 412 backtests are kept, more than the 100 of this plan/)
  })

  it('is changed from the terminal by the same words, quoted for the shell', () => {
    expect(suspendCommands(user(), 24)?.cli).toBe('tidemark user suspend --hours 24 ada@example.com')
    expect(suspendCommands(user(), null)?.cli).toBe('tidemark user suspend ada@example.com')
    expect(restoreCommands(user())?.cli).toBe('tidemark user suspend --lift ada@example.com')
    expect(roleCommands(user({ email: 'o\'neill@example.com' }), true)?.cli).toBe(String.raw`tidemark user promote --revoke 'o'\''neill@example.com'`)
    expect(planCommands(user(), 'large')?.cli).toBe('tidemark user plan ada@example.com large')
    expect(roleCommands(user({ email: null }), false)).toBeUndefined()
  })
})

describe('a line of the audit log', () => {
  it('tells what was before and what is since', () => {
    expect(detailsOf(line({ details: { plan: 'large', before: 'standard' } }))).toEqual([{ name: 'plan', value: 'large', before: 'standard' }])
    const changed = line({ details: { before: { most_queued: 1_000, most_models: 5 }, after: { most_queued: 2_000, most_models: 5 } } })
    expect(detailsOf(changed)).toEqual([{ name: 'most queued', value: '2,000', before: '1,000' }])
    expect(summaryOf(changed)).toBe('most queued 1,000 → 2,000')
    expect(summaryOf(line({ details: { after: { most_queued: 9 } } }))).toBe('most queued 9')
    expect(summaryOf(line({ details: { before: { most_queued: 9 } } }))).toBe('most queued 9 → nothing')
    expect(summaryOf(line({ details: { states: ['failed', 'queued'], deep: { a: 1 } } }))).toBe('states failed, queued, deep {"a":1}')
    expect(summaryOf(line({ details: { hours: 24, until: '2026-11-28T17:33:23.184954+00:00' } }))).toBe('hours 24, until 2026-11-28 17:33 UTC')
    expect(detailsOf(line({ details: {} }))).toEqual([])
  })

  it('names who is gone by the id, and the terminal by its part', () => {
    expect(actorOf(line({ actor_email: null }))).toBe('Administrator c1a3bda5')
    expect(actorOf(line({ actor: 'operator', actor_id: null, actor_email: null }))).toBe('Operator at the terminal')
    expect(subjectOf(line({ subject_email: null }))).toBe('Account 7c9e6679')
    expect(subjectOf(line({ subject_email: null, subject_id: null }))).toBeNull()
  })

  it('is asked for by whole days of UTC, and by nothing that the server would refuse', () => {
    expect(filterOf({ at: { min: '2026-11-01', max: '2026-11-30' }, action: 'user.plan', actor_id: adaId })).toEqual({
      actor_id: adaId, subject_id: '', action: 'user.plan', since: '2026-11-01T00:00:00Z', until: '2026-12-01T00:00:00.000Z',
    })
    expect(filterOf({ at: { min: '2026-02-31' }, action: 'toString', subject_id: 'ada' })).toEqual({
      actor_id: '', subject_id: '', action: '', since: '', until: '',
    })
  })
})

describe('a plan', () => {
  it('is sent as numbers, once all of them are good', () => {
    expect(numbersOf(typedFrom(plan()))).toEqual({ most_queued: 1_000, most_running: 16, most_backtests: 20_000, most_models: 200 })
    expect(numbersOf({ ...typedFrom(plan()), most_models: '' })).toBeNull()
    expect(problemOf('0', 0)).toBeUndefined()
    expect(problemOf('0', 1)).toBe('A whole number, from 1 to 1,000,000,000.')
    expect(problemOf('1000000001', 0)).toMatch(/^A whole number/)
  })

  it('has a name that a command can take, and that is free', () => {
    expect(nameProblem('team-a', [plan()])).toBeUndefined()
    expect(nameProblem('Team A', [])).toMatch(/^Small letters/)
    expect(nameProblem('standard', [plan()])).toMatch(/^There is a plan/)
  })

  it('says what a change does, and what less of something means', () => {
    expect(consequencesOf(plan({ users: 1 }), { ...plan(), most_queued: 2_000 })).toEqual([
      'Tasks that may wait: 2,000 in place of 1,000.', 'It holds at once for the 1 user who has this plan.',
    ])
    expect(consequencesOf(plan(), { ...plan(), most_models: 1 }).at(-1)).toMatch(/^Who has more than a lower number keeps it/)
  })
})

describe('limits', () => {
  const limit = { name: 'user_disk', value: 2 ** 30, unit: 'bytes', meaning: 'Imported series.', setting: 'TIDEMARK_USER_DISK_GIB' }

  it('are written in their own measure', () => {
    expect(nameOfLimit(limit)).toBe('User disk')
    expect(valueOf(limit)).toBe('1.0 GiB')
    expect(valueOf({ ...limit, value: 90, unit: 'seconds' })).toBe('1 min 30 s')
    expect(valueOf({ ...limit, value: 'off', unit: 'requests a minute' })).toBe('Off')
    expect(valueOf({ ...limit, value: 1, unit: 'days' })).toBe('1 day')
    expect(valueOf({ ...limit, value: 1_200, unit: '' })).toBe('1,200')
  })

  it('are found by all words, the setting among them', () => {
    const groups = [{ name: 'Disk', limits: [limit] }, { name: 'Requests', limits: [{ ...limit, name: 'body', setting: null, meaning: 'A body.' }] }]
    expect(foundIn(groups, 'disk gib').map(({ name }) => name)).toEqual(['Disk'])
    expect(foundIn(groups, ' ').map(({ name }) => name)).toEqual(['Disk', 'Requests'])
    expect(foundIn(groups, 'nothing like it')).toEqual([])
  })
})

it('tables of tasks have the same columns on a phone, in another order', () => {
  const ids = (columns: typeof taskColumns) => columns.map(({ id }) => id)
  expect(ids(narrowColumns).slice(0, 3)).toEqual(['kind', 'state', 'owner'])
  expect(ids(narrowColumns).sort()).toEqual(ids(taskColumns).sort())
})
