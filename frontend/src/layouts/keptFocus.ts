/** When what has the focus goes away, the focus goes to what is left around it: it never falls off the page. */
/** More than the fields of a dialog: what opened it is to be remembered until it closes. */
const remembered = 60
/** A dialog or a page that closes gives the focus back by itself, if it can. */
const settleMilliseconds = 60
const places = 'section, form, [role=tabpanel], [role=dialog], main'

/** Until what it returns is called. */
export function keepFocus() {
  // What had the focus with all that was around it, the latest first.
  let trail: HTMLElement[][] = []
  let timer: ReturnType<typeof setTimeout> | undefined

  function remember({ target }: FocusEvent) {
    if (target instanceof HTMLElement && target !== document.body) trail = [withSurroundings(target), ...trail].slice(0, remembered)
  }

  /** Who clicks beside everything gives the focus up; then it is not lost, for what had it is still there. */
  function isLost() {
    const holder = document.activeElement ?? document.body
    return holder === document.body && trail[0]?.[0]?.isConnected === false
  }

  function look() {
    if (isLost()) timer ??= setTimeout(regain, settleMilliseconds)
  }

  function regain() {
    timer = undefined
    if (!isLost()) return
    for (const [element, ...around] of trail) {
      if (element !== undefined && takes(element)) return
      for (const place of around) if (place.matches(places) && takes(place)) return
    }
    document.querySelector('main')?.focus({ preventScroll: true })
  }

  const observer = new MutationObserver(look)
  observer.observe(document.body, { childList: true, subtree: true })
  document.addEventListener('focusin', remember)
  return () => {
    clearTimeout(timer)
    observer.disconnect()
    document.removeEventListener('focusin', remember)
  }
}

function withSurroundings(element: HTMLElement) {
  const found = [element]
  for (let around = element.parentElement; around !== null; around = around.parentElement) found.push(around)
  return found
}

function takes(element: HTMLElement) {
  if (!element.isConnected) return false
  if (element.matches(places) && !element.hasAttribute('tabindex')) element.tabIndex = -1
  element.focus({ preventScroll: true })
  return document.activeElement === element
}
