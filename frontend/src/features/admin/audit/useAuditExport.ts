/** All lines that the filters leave as a file that the server writes, also those that are not loaded. */
import { computed, onScopeDispose, type Ref, ref } from 'vue'
import { type AuditFilter, type AuditFormat, exportAudit } from '@/api/administration'
import { ApiError } from '@/api/client'
import type { MenuItem } from '@/shared/components/DropdownMenu.vue'
import { notify } from '@/shared/composables/notify'
import { bytes } from '@/shared/format'
import { saveBlob } from '@/shared/saveBlob'

const formats: { value: AuditFormat, label: string, hint: string }[] = [
  { value: 'csv', label: 'CSV', hint: 'For spreadsheets' },
  { value: 'parquet', label: 'Parquet', hint: 'For programs, the smallest' },
  { value: 'json', label: 'JSON', hint: 'For programs' },
]

export function useAuditExport(filter: Ref<AuditFilter>) {
  const received = ref<number | null>(null)
  const leaving = new AbortController()
  onScopeDispose(() => { leaving.abort() })

  async function save(format: AuditFormat) {
    if (received.value !== null) return
    received.value = 0
    try {
      const file = await exportAudit(filter.value, format, (size) => { received.value = size }, leaving.signal)
      saveBlob(`audit-log.${format}`, file)
      notify.success(`Exported the audit log, ${bytes(file.size)}.`)
    } catch (error) {
      if (!leaving.signal.aborted) notify.error(`Not exported. ${error instanceof ApiError ? error.explanation : 'Something unexpected happened. Try again.'}`)
    } finally {
      received.value = null
    }
  }

  return {
    files: formats.map(({ value, label, hint }): MenuItem => ({ label, hint, onSelect: () => void save(value) })),
    progress: computed(() => (received.value === null ? '' : `Exporting, ${bytes(received.value)}`)),
  }
}
