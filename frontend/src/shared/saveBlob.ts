/** A file that came from the server, into the folder of downloads. */

export function saveBlob(name: string, blob: Blob) {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // Revoked at once, some browsers save an empty file.
  setTimeout(() => { URL.revokeObjectURL(address) }, 60_000)
}
