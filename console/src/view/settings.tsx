import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { meKey, signOut, useMe, useVersion } from '../api/me'
import { Code, Text } from '../text'
import { setTheme, theme, type Theme } from '../theme'
import { Ago } from '../time'
import { Facts, Page, Problem, State } from '../ui'

const themes: [Theme, string][] = [
  ['system', 'As the system says'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]

export function Settings() {
  const client = useQueryClient()
  const me = useMe().data
  const version = useVersion()
  const [chosen, setChosen] = useState(theme)
  const [error, setError] = useState<unknown>(null)
  const leave = () => {
    signOut().then(
      () => {
        client.setQueryData(meKey, null)
        client.removeQueries({ predicate: (q) => q.queryKey[0] !== meKey[0] })
      },
      (e: unknown) => setError(e),
    )
  }
  return (
    <Page title="Settings">
      <section className="card">
        <fieldset className="choice">
          <legend>Appearance</legend>
          {themes.map(([value, words]) => (
            <label key={value}>
              <input
                type="radio"
                name="theme"
                checked={chosen === value}
                onChange={() => {
                  setTheme(value)
                  setChosen(value)
                }}
              />
              {words}
            </label>
          ))}
        </fieldset>
      </section>
      <section className="card">
        <h2>Signed in</h2>
        <Facts
          rows={[
            ['Name', <Text value={me?.name} />],
            ['Role', me?.role],
            ['Principal', <Code value={version.data?.principal} />],
            ['Version', <Text value={version.data?.version} />],
            ['Host started', <Ago time={version.data?.started} />],
          ]}
        />
        <State query={version} what="the host" />
        {error !== null && <Problem error={error} />}
        <div className="actions">
          <button type="button" onClick={leave}>
            Sign out
          </button>
        </div>
      </section>
    </Page>
  )
}
