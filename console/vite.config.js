import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Where `npm run dev` finds a host: the address that `ambit serve --listen` prints.
const host = process.env.AMBIT_CONSOLE_HOST ?? 'https://127.0.0.1:8443'
const proxy = {
  target: host,
  secure: false, // a certificate of its own making
  changeOrigin: true,
  headers: { origin: host },
}

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/ambit.v1.': proxy, '^/(login|logout|me)$': proxy } },
  build: {
    outDir: '../internal/console/dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // nothing stands in the page that its policy would have to allow
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})
