import { Link, Outlet } from '@tanstack/react-router'
import { useEffect, type ReactNode } from 'react'
import { useMe } from './api/me'
import { start, stop, useInbox } from './inbox/store'
import { Login } from './login'
import { Text } from './text'
import { Loading, Problem } from './ui'

const views = [
  { to: '/', words: 'Inbox' },
  { to: '/sessions', words: 'Sessions' },
  { to: '/grants', words: 'Grants' },
  { to: '/log', words: 'Log' },
  { to: '/packs', words: 'Packs' },
  { to: '/storage', words: 'Storage' },
  { to: '/host', words: 'Host' },
] as const

/** What stands around every view, for who is signed in; for others the sign-in. */
export function Shell() {
  const me = useMe()
  if (me.data === undefined) {
    return <main className="alone">{me.error ? <Problem error={me.error} retry={() => void me.refetch()} /> : <Loading what="who is signed in" />}</main>
  }
  if (me.data === null) return <Login />
  return <SignedIn>{<Outlet />}</SignedIn>
}

function SignedIn({ children }: { children: ReactNode }) {
  const me = useMe().data
  useEffect(() => {
    start()
    return stop
  }, [])
  return (
    <div className="shell">
      <a className="skip" href="#view">
        Skip to the view
      </a>
      <nav aria-label="Views">
        <span className="brand">Ambit</span>
        <ul>
          {views.map((v) => (
            <li key={v.to}>
              <Link to={v.to} activeOptions={{ exact: v.to === '/' }}>
                {v.words}
                {v.to === '/' && <Waiting />}
              </Link>
            </li>
          ))}
        </ul>
        <Link to="/settings" className="who">
          <span className="name">
            <Text value={me?.name} />
          </span>
          <span className="role">{me?.role}</span>
        </Link>
      </nav>
      <main id="view" tabIndex={-1}>
        <Connection />
        {children}
      </main>
    </div>
  )
}

function Waiting() {
  const n = useInbox().questions.length
  if (n === 0) return null
  return (
    <span className="waiting" title={`${n} waiting`}>
      {n}
    </span>
  )
}

/** Says that what is shown may be old. */
function Connection() {
  const inbox = useInbox()
  if (inbox.state !== 'lost') return null
  return (
    <div className="notice warn" role="status">
      <span>
        Not connected: <Text value={inbox.error?.message} /> Trying again. Nothing is lost: questions wait at the host.
      </span>
    </div>
  )
}
