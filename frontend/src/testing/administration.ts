/** Accounts, plans and lines of the audit log as the API answers them. */
import type { AdminTaskInFull, AdminUserDetails, AuditLine, Plan } from '@/api/administration'
import { taskInFull } from './tasks'

export const adaId = '7c9e6679-7425-40de-944b-e07fc1f90ae7'

export function user(change: Partial<AdminUserDetails> = {}): AdminUserDetails {
  return {
    id: adaId, email: 'ada@example.com', display_name: 'Ada', role: 'user', state: 'active', plan: 'standard',
    created_at: '2026-11-18T09:30:00Z', last_seen_at: '2026-11-27T09:30:00Z', suspended_until: null, sessions: 2,
    usage: { queued: 3, running: 1, backtests: 412, models: 7, exchange_keys: 2, series: 1, disk_bytes: 2 ** 30 },
    quotas: {
      most_queued: 1_000, most_running: 16, most_backtests: 20_000, most_models: 200, most_disk_bytes: 2 ** 31, most_exchange_keys: 20,
    },
    ...change,
  }
}

export function plan(change: Partial<Plan> = {}): Plan {
  return { name: 'standard', users: 12, most_queued: 1_000, most_running: 16, most_backtests: 20_000, most_models: 200, ...change }
}

export function somebodysTask(change: Partial<AdminTaskInFull> = {}): AdminTaskInFull {
  return { ...taskInFull(), user_id: adaId, email: 'ada@example.com', ...change }
}

export function line(change: Partial<AuditLine> = {}): AuditLine {
  return {
    id: 'line-1', at: '2026-11-27T09:30:00Z', actor: 'admin', actor_id: 'c1a3bda5-fb4b-4cee-bd65-87b27e4d41cd', actor_email: 'grace@example.com',
    action: 'user.suspend', subject_id: adaId, subject_email: 'ada@example.com', object: null, address: '192.0.2.7', session_id: null,
    details: { hours: 24 }, reason: 'Floods the queue.', ...change,
  }
}

export const page = <Item>(...items: Item[]) => ({ items, next_cursor: null })
