/** What went wrong while signing in, in plain words: the cause, then the remedy. */
import { ApiError } from '@/api/client'

const byCode: Record<string, string> = {
  invalid_credentials: 'Email or password is wrong. Check both, or reset the password.',
  email_not_confirmed: 'This email is not confirmed yet. Enter the code from the message we sent, or ask for a new one.',
  user_already_exists: 'An account with this email exists already. Sign in, or reset its password.',
  email_exists: 'An account with this email exists already. Use another email, or sign in to that account.',
  signup_disabled: 'New accounts are switched off here. Ask whoever runs this installation for one.',
  email_provider_disabled: 'Sign-in by email is switched off here. Ask whoever runs this installation.',
  anonymous_provider_disabled: 'The demo is switched off here. Create an account instead.',
  same_password: 'The new password is the old one. Choose a different one.',
  otp_expired: 'The code is wrong or no longer valid. Check it, or ask for a new one.',
  user_banned: 'This account is suspended. Ask whoever runs this installation.',
  over_email_send_rate_limit: 'A message was sent a moment ago. Wait a minute, then ask for another.',
  over_request_rate_limit: 'Too many attempts from this address. Wait a few minutes, then try again.',
  email_address_invalid: 'This email address cannot be used. Check its spelling.',
  session_not_found: 'Your session has ended. Sign in again.',
  session_expired: 'Your session has ended. Sign in again.',
  refresh_token_not_found: 'Your session has ended. Sign in again.',
  refresh_token_already_used: 'Your session has ended. Sign in again.',
  flow_state_not_found: 'This link was used already or is too old. Ask for a new message.',
  flow_state_expired: 'This link is too old. Ask for a new message.',
  bad_code_verifier: 'This link opens only in the browser that asked for it. Enter the code from the same message instead.',
  reauthentication_needed: 'To change the password, sign in again first.',
}

const weakness: Record<string, string> = {
  length: 'it is too short',
  characters: 'it needs more kinds of characters',
  pwned: 'it is known from a data leak',
}

const byName: Record<string, string> = {
  AuthRetryableFetchError: 'The sign-in service does not answer. Check that Tidemark is running, then try again.',
  AuthSessionMissingError: 'Your session has ended. Sign in again.',
  AuthPKCEGrantCodeExchangeError: 'This link opens only in the browser that asked for it. Enter the code from the same message instead.',
  AuthPKCECodeVerifierMissingError: 'This link opens only in the browser that asked for it. Enter the code from the same message instead.',
}

interface AuthFailure {
  name: string
  code?: string
  status?: number
  message: string
  reasons?: string[]
}

export function explain(error: unknown): string {
  if (error instanceof ApiError) return error.explanation
  if (!isFailure(error)) return 'Something unexpected happened. Reload the page and try again.'
  if (error.name === 'AuthWeakPasswordError' || error.code === 'weak_password') return explainWeakness(error)
  const known = byCode[error.code ?? ''] ?? byName[error.name]
  if (known !== undefined) return known
  if (error instanceof TypeError) return 'Tidemark does not answer. Check that it is running, then try again.'
  return `${withFullStop(error.message)} Correct it and try again.`
}

/** What the auth server appends to a redirect address when a link of a message no longer works. */
export function explainRedirect(code: string | null): string {
  return (code !== null && code !== 'otp_expired' ? byCode[code] : undefined)
    ?? 'This link is wrong, was used already or is too old. Ask for a new message.'
}

function explainWeakness({ reasons = [], message }: AuthFailure) {
  const said = reasons.map((reason) => weakness[reason]).filter((text) => text !== undefined)
  const atLeast = /at least (\d+) characters/.exec(message)?.[1]
  if (atLeast !== undefined) return `This password is too short. Use at least ${atLeast} characters.`
  return `This password is too weak${said.length > 0 ? `: ${said.join(', ')}` : ''}. Choose a longer one, a few words for example.`
}

function isFailure(error: unknown): error is AuthFailure {
  return error instanceof Error
}

function withFullStop(text: string) {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
