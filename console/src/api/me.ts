import { useQuery } from '@tanstack/react-query'
import { call, failureOf, headers, send } from './call'
import type { Me, Role } from './types'

/** Who is signed in; null where nobody is. */
export async function whoAmI(signal: AbortSignal): Promise<Me | null> {
  const r = await send('/me', { headers: { 'X-Ambit': '1' }, signal })
  if (r.status === 401) return null
  if (!r.ok) throw await failureOf(r)
  return (await r.json()) as Me
}

export async function signIn(proof: { token: string } | { code: string }): Promise<void> {
  const r = await send('/login', { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(proof) })
  if (!r.ok) throw await failureOf(r)
}

/** What people log in by beside tokens; null where there is nothing. */
async function provider(signal: AbortSignal): Promise<string | null> {
  const r = await send('/login/oidc', { headers: { 'X-Ambit': '1' }, signal })
  if (!r.ok) return null
  return ((await r.json()) as { name: string }).name
}

export function useProvider(): string | null {
  return useQuery({ queryKey: ['provider'], queryFn: ({ signal }) => provider(signal), staleTime: Infinity, retry: false }).data ?? null
}

/** Leaves for the provider, which sends the browser back. */
export async function signInThere(): Promise<void> {
  const r = await send('/login/oidc', { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: '{}' })
  if (!r.ok) throw await failureOf(r)
  const { url } = (await r.json()) as { url: string }
  if (new URL(url).protocol !== 'https:') throw new Error('The provider has no secure address.')
  location.assign(url)
}

export async function signOut(): Promise<void> {
  const r = await send('/logout', { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: '{}' })
  if (!r.ok && r.status !== 401) throw await failureOf(r)
}

export const meKey = ['me']

export function useMe() {
  return useQuery({ queryKey: meKey, queryFn: ({ signal }) => whoAmI(signal), staleTime: 60_000 })
}

const order: Role[] = ['viewer', 'approver', 'operator', 'admin']

/** Reports whether who is signed in has a role. The host decides; this says what to offer. */
export function useMay(least: Role): boolean {
  const me = useMe().data
  return !!me && order.indexOf(me.role) >= order.indexOf(least)
}

/** What the host itself is, beside who asks. */
export interface Version {
  version?: string
  principal?: string
  role?: string
  started?: string
}

export function useVersion() {
  return useQuery({ queryKey: ['version'], queryFn: ({ signal }) => call<Version>('HostService/GetVersion', {}, signal), staleTime: 60_000 })
}
