/** Which tasks still change, and how often somebody who watches them asks. Each question is a line in the audit log. */
import type { AdminTask } from '@/api/administration'
import { isStopping } from '@/shared/taskNames'

export const whileActive = 15_000
export const whileQuiet = 60_000

export const isActive = ({ state }: AdminTask) => state === 'queued' || state === 'running'
export const mayCancel = (task: AdminTask) => isActive(task) && !isStopping(task)
