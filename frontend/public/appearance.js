// Sets theme, palette and density before the first paint, so that nothing flashes. A file of its own
// because the content security policy allows no inline script. features/profile/appearance.ts writes what is read here.
(function () {
  const root = document.documentElement
  const stored = readStored()
  const dark = stored.theme === 'dark' || (stored.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  root.dataset.theme = dark ? 'dark' : 'light'
  root.dataset.palette = stored.palette === 'colour_blind' ? 'colour_blind' : 'default'
  root.dataset.density = stored.density === 'compact' || stored.density === 'spacious' ? stored.density : 'comfortable'

  function readStored() {
    try {
      return JSON.parse(localStorage.getItem('tidemark.appearance') || '{}') || {}
    } catch {
      return {}
    }
  }
})()
