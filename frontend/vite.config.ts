/** How the web app is built and served while developing; production files are compressed here, once. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

const compressible = /\.(?:js|css|html|svg|json|txt)$/
const smallestWorthCompressing = 1024

/** Leaves a .br and a .gz beside each text file, so that the server never compresses them on the fly. */
function precompress(folder: string): Plugin {
  return {
    name: 'tidemark:precompress',
    apply: 'build',
    enforce: 'post',
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !compressible.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const content = readFileSync(path)
        if (content.length < smallestWorthCompressing) continue
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
        writeFileSync(`${path}.br`, brotliCompressSync(content, { params }))
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }))
      }
    },
  }
}

/**
 * What every page needs lies in two parts: apart, small files would cost more by their names and headers than they hold.
 * Icons are those of the frame and of the dashboard.
 */
const together = [
  { name: 'vue', test: /node_modules[\\/](?:@vue[\\/](?:runtime|reactivity|shared)|vue[\\/]|vue-router|@tanstack[\\/](?:query-core|vue-query))/ },
  {
    name: 'frame',
    test: new RegExp([
      String.raw`src/shared/(?:decimal|format|instant|keyboard|composables/(?:notify|useNow|useMediaQuery|useCountdown|useDelayed|useClipboard|localZone))\.ts`,
      String.raw`src/shared/components/(?:AsyncView|Badge|Button|Card|CopyAs|EnvironmentBand|ErrorState|FactList|IconButton|KeyHint|PageHeader|ServiceList|Skeleton|Spinner|StaleBanner|StateFace|StatusBadge|StatusDot|TimeText|Tooltip)\.vue`,
      String.raw`src/api/(?:accounts|faces|installation|stream)\.ts`,
      String.raw`@lucide/vue/dist/esm/(?:createLucideIcon|icons/(?:activity|chart-spline|check|circle-check|circle-x|database|monitor|moon|save|search|settings|shield-check|sun|triangle-alert|workflow)\.)`,
    ].join('|')),
  },
]

const outDir = fileURLToPath(new URL('./dist', import.meta.url))
const backend = process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue(), tailwindcss(), precompress(outDir)],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir,
    emptyOutDir: true,
    assetsInlineLimit: 0, // a data: address would need a hole in the content security policy
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: { groups: together } } },
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(['/api', '/auth/v1', '/healthz', '/readyz'].map((path) => [path, backend])),
  },
})
