import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState, type FormEvent } from 'react'
import { meKey, signIn, signInThere, useProvider } from './api/me'
import { Field, Problem } from './ui'

/** The code of a link of `ambit serve`, which counts once and stays in no history. */
function takeCode(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get('code') ?? ''
  if (code) history.replaceState(null, '', location.pathname)
  return code
}

export function Login() {
  const client = useQueryClient()
  const [token, setToken] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const provider = useProvider()

  const enter = (proof: { token: string } | { code: string }) => {
    setBusy(true)
    setError(null)
    signIn(proof)
      .then(() => client.invalidateQueries({ queryKey: meKey }))
      .catch((e: unknown) => setError(e))
      .finally(() => setBusy(false))
  }
  useEffect(() => {
    document.title = 'Sign in – Ambit'
    const followed = () => {
      const code = takeCode()
      if (code) enter({ code })
    }
    followed()
    addEventListener('hashchange', followed)
    return () => removeEventListener('hashchange', followed)
  }, [])

  const leave = () => {
    setBusy(true)
    setError(null)
    signInThere().catch((e: unknown) => {
      setError(e)
      setBusy(false)
    })
  }
  const submit = (e: FormEvent) => {
    e.preventDefault()
    const text = token.trim()
    const link = /#code=(.+)$/.exec(text)
    enter(link?.[1] ? { code: decodeURIComponent(link[1]) } : { token: text })
  }
  return (
    <main className="alone">
      <form className="card login" onSubmit={submit}>
        <h1>Sign in to Ambit</h1>
        {provider !== null && (
          <>
            <button type="button" className="primary" disabled={busy} onClick={leave}>
              Sign in with {provider}
            </button>
            <p className="quiet">Or with a token:</p>
          </>
        )}
        <input type="text" name="username" autoComplete="username" value="ambit" readOnly hidden />
        <Field label="Token, or the link that ambit serve printed">
          {(id) => (
            <input
              id={id}
              type="password"
              autoComplete="current-password"
              spellCheck={false}
              autoFocus
              required
              value={token}
              onChange={(e) => setToken(e.target.value)}
            />
          )}
        </Field>
        <button type="submit" className={provider === null ? 'primary' : ''} disabled={busy || token.trim() === ''}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        {error !== null && <Problem error={error} />}
        <p className="quiet">
          A token is made on the host by <code>ambit token add NAME --role approver</code>.
        </p>
      </form>
    </main>
  )
}
