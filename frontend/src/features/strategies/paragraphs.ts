/** A docstring as paragraphs: lines that were only broken for their length are one again. */

export function paragraphsOf(text: string) {
  const made: string[] = []
  for (const line of text.split('\n').map((each) => each.trim())) {
    const last = made.at(-1)
    if (line === '') made.push('')
    else if (last !== undefined && last !== '' && !/[.:!?]$/.test(last)) made[made.length - 1] = `${last} ${line}`
    else made.push(line)
  }
  return made.filter((each) => each !== '')
}
