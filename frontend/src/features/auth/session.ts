/** Who is signed in on this browser, and every way to become or stop being that person. */
import type { AuthError, Session, User } from '@supabase/auth-js'
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { takeTokensFrom } from '@/api/client'
import { installationQuery } from '@/api/installation'
import { queryClient } from '@/api/queries'
import { forgetSession, holdsSession, sessionStorageKey, supabase } from './supabase'

type Status = 'unknown' | 'signed_out' | 'signed_in'
/** What a person has to do next: nothing more, or type the code that was mailed. */
type Outcome = 'done' | 'code_needed'
type CodePurpose = 'email' | 'recovery' | 'email_change'

export const useSession = defineStore('session', () => {
  const status = ref<Status>('unknown')
  const user = ref<User | null>(null)
  const endedByItself = ref(false) // expired or ended elsewhere, not signed out here
  const isDemo = computed(() => user.value?.is_anonymous === true)
  let starting: Promise<void> | undefined
  let leaving = false

  function start() {
    starting ??= restore().catch((error: unknown) => {
      starting = undefined
      throw error
    })
    return starting
  }

  async function restore() {
    window.addEventListener('storage', signedInElsewhere)
    if (!holdsSession()) {
      hold(null)
      return
    }
    const { auth } = await connect()
    const { data, error } = await auth.getSession()
    if (error !== null && holdsSession()) throw error // the server is away, the session is not lost
    hold(data.session)
  }

  let listening: ReturnType<typeof supabase> | undefined

  function connect() {
    listening ??= supabase().then((client) => {
      client.auth.onAuthStateChange((event, session) => {
        if (event === 'INITIAL_SESSION') return
        if (event === 'SIGNED_OUT' && status.value === 'signed_in' && !leaving) endedByItself.value = true
        hold(session)
      })
      return client
    }).catch((error: unknown) => {
      listening = undefined
      throw error
    })
    return listening
  }

  function signedInElsewhere(event: StorageEvent) {
    if (event.key === sessionStorageKey && event.newValue !== null && status.value === 'signed_out') {
      void connect().then(async ({ auth }) => { hold((await auth.getSession()).data.session) })
    }
  }

  function hold(session: Session | null) {
    const before = user.value
    user.value = session?.user ?? null
    status.value = session === null ? 'signed_out' : 'signed_in'
    if (session !== null) endedByItself.value = false
    if (before === null) return
    if (before.id !== user.value?.id) forgetAnswers()
    else if (before.is_anonymous !== user.value.is_anonymous) void queryClient.invalidateQueries() // a demo became an account
  }

  async function signIn(email: string, password: string) {
    const { auth } = await connect()
    hold(settled(await auth.signInWithPassword({ email, password })).session)
  }

  async function signUp(email: string, password: string): Promise<Outcome> {
    const { auth } = await connect()
    const { session } = settled(await auth.signUp({ email, password, options: { emailRedirectTo: address('/verify-email') } }))
    if (session === null) return 'code_needed'
    hold(session)
    return 'done'
  }

  async function tryDemo() {
    const { auth } = await connect()
    hold(settled(await auth.signInAnonymously()).session)
  }

  /** Gives a demo an email and a password: same person, same data, a real account. */
  async function keepDemo(email: string, password: string): Promise<Outcome> {
    const { auth } = await connect()
    const { user: changed } = settled(await auth.updateUser({ email }, { emailRedirectTo: address('/save-demo') }))
    if (changed.email !== email.toLowerCase()) return 'code_needed'
    await setPassword(password)
    await renew()
    return 'done'
  }

  async function sendRecovery(email: string) {
    const { auth } = await connect()
    settled(await auth.resetPasswordForEmail(email, { redirectTo: address('/new-password') }))
  }

  async function sendCodeAgain(purpose: 'signup' | 'email_change', email: string) {
    const { auth } = await connect()
    settled(await auth.resend({ type: purpose, email }))
  }

  async function enterCode(purpose: CodePurpose, email: string, code: string) {
    const { auth } = await connect()
    hold(settled(await auth.verifyOtp({ type: purpose, email, token: code })).session)
  }

  /** Follows the link of a message, which brings a one-time code in the address. */
  async function enterLink(code: string) {
    const { auth } = await connect()
    hold(settled(await auth.exchangeCodeForSession(code)).session)
  }

  async function setPassword(password: string) {
    const { auth } = await connect()
    user.value = settled(await auth.updateUser({ password })).user
  }

  async function renew() {
    const { auth } = await connect()
    hold(settled(await auth.refreshSession()).session)
  }

  /** Returns false when the server could not be told; this browser forgets the session all the same. */
  async function signOut() {
    leaving = true
    try {
      const { auth } = await connect()
      const { error } = await auth.signOut({ scope: 'local' })
      return error === null
    } catch {
      return false
    } finally {
      forgetSession()
      hold(null)
      leaving = false
    }
  }

  async function token({ renew: fresh }: { renew: boolean } = { renew: false }) {
    if (status.value !== 'signed_in') return null
    const { auth } = await connect()
    const { data, error } = fresh ? await auth.refreshSession() : await auth.getSession()
    if (fresh && error !== null && isOver(error)) await end()
    return data.session?.access_token ?? null
  }

  /** The API refuses the token and Auth gives no new one: the session was ended elsewhere. */
  async function end() {
    const { auth } = await connect()
    await auth.signOut({ scope: 'local' }).catch(() => undefined)
    forgetSession()
    if (status.value === 'signed_in') endedByItself.value = true
    hold(null)
  }

  takeTokensFrom({ token, drop: signOut })
  return {
    status, user, isDemo, endedByItself,
    start, signIn, signUp, tryDemo, keepDemo, signOut,
    sendRecovery, sendCodeAgain, enterCode, enterLink, setPassword, renew, token,
  }
})

const overCodes = new Set([
  'session_not_found', 'session_expired', 'refresh_token_not_found', 'refresh_token_already_used', 'user_not_found', 'user_banned',
])

function isOver({ code, name }: AuthError) {
  return name === 'AuthSessionMissingError' || overCodes.has(code ?? '')
}

type Answer<T> = { data: T, error: null } | { data: unknown, error: AuthError }

function settled<T>(answer: Answer<T>): T {
  if (answer.error !== null) throw answer.error
  return answer.data
}

/** The next person on this browser must not see what the last one loaded. */
function forgetAnswers() {
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== installationQuery.queryKey[0] })
}

function address(path: string) {
  return new URL(path, window.location.origin).href
}
