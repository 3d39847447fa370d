/** How the web app is built and served while developing; production files are compressed here, once. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'
import { chunks } from './chunks.ts'
import { oneRegistration, withoutLabels, withoutUnusedAuth } from './leaner.ts'

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

/** What is static in a template is made anew with it: to keep it aside takes 2 % more code, and Vue compares it in neither case. */
const compilerOptions = { hoistStatic: false }

const outDir = fileURLToPath(new URL('./dist', import.meta.url))
const backend = process.env.TIDEMARK_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [
    vue({ template: { compilerOptions } }), tailwindcss(),
    oneRegistration(), withoutLabels(), withoutUnusedAuth(), precompress(outDir),
  ],
  define: { __VUE_OPTIONS_API__: 'false' }, // every component here and below is written with setup
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir,
    emptyOutDir: true,
    assetsInlineLimit: 0, // a data: address would need a hole in the content security policy
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: { groups: chunks } } },
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(['/api', '/auth/v1', '/healthz', '/readyz'].map((path) => [path, backend])),
  },
})
