/** Files of bars on their way: up with progress, looked at, imported, and down again. */
import { newIdempotencyKey, request } from './client'
import type { Started } from './market'
import type { components } from './schema'

type Schemas = components['schemas']
export type Upload = Schemas['UploadKept']
export type Reading = Schemas['FileReading']
export type Preview = Schemas['PreviewMade']
export type PreviewWanted = Schemas['PreviewWanted']
export type ImportWanted = Schemas['ImportWanted']
export type TimeStyle = Schemas['TimeStyle']
export type FileKind = 'csv' | 'parquet'

export const largestUploadBytes = 256 * 2 ** 20

interface Transfer {
  signal?: AbortSignal
  /** From 0 to 1. */
  onProgress?: (share: number) => void
}

export async function uploadFile(file: File, { signal, onProgress }: Transfer = {}): Promise<Upload> {
  const reply = await request<Upload>('POST', '/api/data/uploads', {
    query: { name: file.name.slice(0, 200) }, body: file, signal, transfer: { sent: (bytes) => onProgress?.(bytes / file.size) },
  })
  return reply.data
}

export async function previewImport(wanted: PreviewWanted, signal?: AbortSignal): Promise<Preview> {
  return (await request<Preview>('POST', '/api/data/import/preview', { body: wanted, signal })).data
}

export async function startImport(wanted: ImportWanted, idempotencyKey = newIdempotencyKey()): Promise<Started> {
  return (await request<Started>('POST', '/api/data/import', { body: wanted, idempotencyKey })).data
}

/** The whole series as a file; `onBytes` hears how much has come. */
export async function exportSeries(id: string, format: FileKind, onBytes?: (bytes: number) => void, signal?: AbortSignal) {
  const query = { series_id: id, format }
  return (await request<Blob>('GET', '/api/data/export', { query, signal, transfer: { received: onBytes, asFile: true } })).data
}
