/** What the palette can do: go to a page, or act. */
import { Contrast, GraduationCap, Keyboard, LogOut, Monitor, Moon, Play, Rows3, Save, Sun } from '@lucide/vue'
import { computed, type Component } from 'vue'
import { useRouter } from 'vue-router'
import { useSession } from '@/features/auth/session'
import { useAppearance } from '@/shared/composables/appearance'
import { useDestinations } from './navigation'
import { choosePreferences } from './preferences'
import { useSignOut } from './useSignOut'

export interface Command {
  id: string
  label: string
  icon: Component
  keywords: string
  keys?: string[]
  run: () => void
}

export interface CommandGroup {
  label: string
  commands: Command[]
}

export function useCommands(openSheet: () => void) {
  const router = useRouter()
  const session = useSession()
  const signOut = useSignOut()
  const destinations = useDestinations()
  const { appearance } = useAppearance()

  return computed<CommandGroup[]>(() => [
    {
      label: 'Go to',
      commands: destinations.value.map(({ name, label, icon, key, keywords }) => ({
        id: `go-${name}`, label, icon, keywords, keys: ['g', key], run: () => { void router.push({ name }) },
      })),
    },
    {
      label: 'Backtests',
      commands: [
        { id: 'new-backtest', label: 'New backtest', icon: Play, keywords: 'run strategy test', keys: ['n'], run: () => { void router.push('/backtests/new') } },
        { id: 'sample', label: 'Run sample backtest', icon: Play, keywords: 'demo example try first', run: () => { void import('@/shared/sampleRun').then(({ runSample }) => runSample(router)) } },
      ],
    },
    {
      label: 'Predictions',
      commands: [
        { id: 'train', label: 'Train a model', icon: GraduationCap, keywords: 'machine learning prediction forecast new', run: () => { void router.push('/predictions/new') } },
      ],
    },
    {
      label: 'Look',
      commands: [
        { id: 'theme-light', label: 'Use the light theme', icon: Sun, keywords: 'appearance bright day', run: () => { void choosePreferences({ theme: 'light' }) } },
        { id: 'theme-dark', label: 'Use the dark theme', icon: Moon, keywords: 'appearance night', run: () => { void choosePreferences({ theme: 'dark' }) } },
        { id: 'theme-system', label: 'Use the theme of the system', icon: Monitor, keywords: 'appearance automatic', run: () => { void choosePreferences({ theme: 'system' }) } },
        appearance.palette === 'default'
          ? { id: 'palette', label: 'Use colours for colour-blind eyes', icon: Contrast, keywords: 'palette accessibility', run: () => { void choosePreferences({ palette: 'colour_blind' }) } }
          : { id: 'palette', label: 'Use the standard colours', icon: Contrast, keywords: 'palette accessibility colour blind', run: () => { void choosePreferences({ palette: 'default' }) } },
        ...(['compact', 'comfortable', 'spacious'] as const).filter((density) => density !== appearance.density).map((density) => ({
          id: `density-${density}`, label: `Use ${density} rows`, icon: Rows3, keywords: 'density spacing', run: () => { void choosePreferences({ density }) },
        })),
      ],
    },
    {
      label: 'Account',
      commands: [
        ...(session.isDemo ? [{ id: 'save-demo', label: 'Save the demo as an account', icon: Save, keywords: 'upgrade keep sign up', run: () => { void router.push({ name: 'save-demo' }) } }] : []),
        { id: 'shortcuts', label: 'Show keyboard shortcuts', icon: Keyboard, keywords: 'help keys', keys: ['?'], run: openSheet },
        { id: 'sign-out', label: session.isDemo ? 'Leave the demo' : 'Sign out', icon: LogOut, keywords: 'log sign out leave delete', run: () => { void signOut() } },
      ],
    },
  ])
}
