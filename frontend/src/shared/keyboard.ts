/** When a letter is typed into something, and not meant for the page. */

export function isTyping(target: EventTarget | null) {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.matches('input:not([type="checkbox"], [type="radio"]), textarea, select'))
}

export function dialogIsOpen() {
  return document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]') !== null
}
