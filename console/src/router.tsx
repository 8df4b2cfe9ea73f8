import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router'
import { Install } from './consent/install'
import { Inbox } from './inbox/inbox'
import { Log, readSearch } from './log/log'
import { RecordView } from './log/record'
import { Shell } from './shell'
import { Start } from './start/start'
import { readValue, Storage } from './storage/storage'
import { Empty, Page } from './ui'
import { Grants } from './view/grants'
import { Host } from './view/host'
import { Pack, Packs } from './view/packs'
import { Session } from './view/session'
import { Sessions } from './view/sessions'
import { Settings } from './view/settings'

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Page title="Not found">
      <Empty title="There is no such page." />
    </Page>
  ),
})
const getParentRoute = () => root

// The first part of each path is also known to internal/console, which serves the
// page for it.
const routes = root.addChildren([
  createRoute({ getParentRoute, path: '/', component: Inbox }),
  createRoute({ getParentRoute, path: '/sessions', component: Sessions }),
  createRoute({ getParentRoute, path: '/sessions/new', component: Start }),
  createRoute({ getParentRoute, path: '/sessions/$id', component: Session }),
  createRoute({ getParentRoute, path: '/grants', component: Grants }),
  createRoute({ getParentRoute, path: '/log', component: Log, validateSearch: readSearch }),
  createRoute({ getParentRoute, path: '/log/$ref', component: RecordView }),
  createRoute({ getParentRoute, path: '/packs', component: Packs }),
  createRoute({ getParentRoute, path: '/install', component: Install }),
  createRoute({ getParentRoute, path: '/packs/$id', component: Pack }),
  createRoute({ getParentRoute, path: '/storage', component: Storage, validateSearch: readValue }),
  createRoute({ getParentRoute, path: '/host', component: Host }),
  createRoute({ getParentRoute, path: '/settings', component: Settings }),
])

export const router = createRouter({ routeTree: routes })

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
