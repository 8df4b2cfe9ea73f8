import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router'
import { Inbox } from './inbox/inbox'
import { Shell } from './shell'
import { Empty, Page } from './ui'
import { Settings } from './view/settings'

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Page title="Not found">
      <Empty title="There is no such page." />
    </Page>
  ),
})

// The first part of each path is also known to internal/console, which serves the
// page for it.
const routes = root.addChildren([
  createRoute({ getParentRoute: () => root, path: '/', component: Inbox }),
  createRoute({ getParentRoute: () => root, path: '/settings', component: Settings }),
])

export const router = createRouter({ routeTree: routes })

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
