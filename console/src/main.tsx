import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Failure, onSignedOut } from './api/call'
import { meKey } from './api/me'
import { router } from './router'
import './style/base.css'
import './style/parts.css'
import './style/inbox.css'
import './style/views.css'
import './style/consent.css'
import './style/change.css'
import './style/files.css'
import { applyTheme } from './theme'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      // What the host refuses it will refuse again; only a connection may come back.
      retry: (times, error) => times < 2 && error instanceof Failure && error.code === 'unreachable',
      networkMode: 'always', // the host may be this machine
    },
    mutations: { networkMode: 'always' },
  },
})

onSignedOut(() => client.setQueryData(meKey, null))
applyTheme()

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  )
}
