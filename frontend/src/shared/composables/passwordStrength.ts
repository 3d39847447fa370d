/** How hard a new password is to guess, in words. A hint while typing; the server has the last word. */

export interface PasswordStrength {
  /** 0 unusable, 1 weak, 2 fair, 3 strong. */
  score: 0 | 1 | 2 | 3
  label: string
  advice: string
}

export const LONGEST_PASSWORD_BYTES = 72

const COMMON = [
  'password', 'passwort', 'qwerty', 'qwertz', 'azerty', 'letmein', 'welcome', 'iloveyou', 'monkey', 'dragon', 'admin',
  'football', 'baseball', 'sunshine', 'princess', 'master', 'shadow', 'superman', 'bitcoin', 'trading', 'tidemark',
  'secret', 'abc123', 'asdfgh', 'zxcvbn',
]
const SEQUENCES = ['abcdefghijklmnopqrstuvwxyz', '0123456789', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm']

export function strengthOf(password: string, shortest = 8): PasswordStrength {
  const missing = shortest - [...password].length
  if (missing > 0) {
    return { score: 0, label: 'Too short', advice: `${missing} more character${missing === 1 ? '' : 's'} needed.` }
  }
  if (new TextEncoder().encode(password).length > LONGEST_PASSWORD_BYTES) {
    return { score: 0, label: 'Too long', advice: `Use at most ${LONGEST_PASSWORD_BYTES} characters, fewer with accents or emoji.` }
  }
  const bits = unguessableLength(password) * Math.log2(alphabetOf(password))
  if (bits < 40) return { score: 1, label: 'Weak', advice: 'Easy to guess. Add a few unrelated words.' }
  if (bits < 60) return { score: 2, label: 'Fair', advice: 'A longer one would be safer.' }
  return { score: 3, label: 'Strong', advice: 'Hard to guess.' }
}

/** The characters that an attacker must really try: common words, runs and repeats count as one each. */
function unguessableLength(password: string): number {
  let rest = password.toLowerCase()
  let counted = 0
  for (const word of COMMON) {
    if (!rest.includes(word)) continue
    rest = rest.replaceAll(word, ' ')
    counted += 1
  }
  const shrunk = rest.replace(/(.+?)\1+/g, '$1')
  for (let at = 0; at < shrunk.length; at += 1) {
    if (!continuesSequence(shrunk, at)) counted += 1
  }
  return counted
}

function continuesSequence(text: string, at: number): boolean {
  if (at < 2) return false
  const run = text.slice(at - 2, at + 1)
  const backwards = [...run].reverse().join('')
  return SEQUENCES.some((sequence) => sequence.includes(run) || sequence.includes(backwards))
}

function alphabetOf(password: string): number {
  let size = 0
  if (/[a-z]/.test(password)) size += 26
  if (/[A-Z]/.test(password)) size += 26
  if (/[0-9]/.test(password)) size += 10
  if (/[^a-zA-Z0-9]/.test(password)) size += 33
  return Math.max(size, 2)
}
