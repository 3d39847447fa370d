/** What can be said about an email or a password before the server is asked. */

export const shortestPassword = 8
const longestPasswordBytes = 72 // bcrypt reads no further

export function emailProblem(email: string) {
  if (email.trim() === '') return 'Enter your email.'
  if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email.trim())) return 'This is not an email address. It looks like name@example.com.'
  return ''
}

export function passwordProblem(password: string) {
  return password === '' ? 'Enter your password.' : ''
}

export function newPasswordProblem(password: string) {
  if (password === '') return 'Choose a password.'
  if ([...password].length < shortestPassword) return `Too short: use at least ${shortestPassword} characters.`
  if (new TextEncoder().encode(password).length > longestPasswordBytes) return `Too long: use at most ${longestPasswordBytes} characters, fewer with accents or emoji.`
  return ''
}
