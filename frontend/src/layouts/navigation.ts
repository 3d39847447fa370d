/** The pages that exist, in the order of the sidebar; the palette and the shortcuts read the same list. */
import { Activity, ChartSpline, Database, LayoutDashboard, Settings, ShieldCheck, TrendingUpDown, Workflow } from '@lucide/vue'
import { useQuery } from '@tanstack/vue-query'
import { computed, type Component, type ComputedRef } from 'vue'
import { meQuery } from '@/api/accounts'

export interface Destination {
  name: string
  label: string
  icon: Component
  /** Pressed after `g`. */
  key: string
  keywords: string
}

const destinations: Destination[] = [
  { name: 'dashboard', label: 'Dashboard', icon: LayoutDashboard, key: 'd', keywords: 'home overview services health installation' },
  { name: 'backtests', label: 'Backtests', icon: ChartSpline, key: 'b', keywords: 'runs results strategies list compare' },
  { name: 'predictions', label: 'Predictions', icon: TrendingUpDown, key: 'p', keywords: 'models machine learning train forecast' },
  { name: 'strategies', label: 'Strategies', icon: Workflow, key: 'y', keywords: 'rules signals builder indicators versions gallery' },
  { name: 'data', label: 'Data', icon: Database, key: 'm', keywords: 'market bars prices series download upload import export gaps' },
  { name: 'status', label: 'Status centre', icon: Activity, key: 't', keywords: 'tasks jobs queue running failed cancel retry machine services' },
  { name: 'settings', label: 'Settings', icon: Settings, key: 's', keywords: 'profile preferences appearance theme sessions password exchange api keys export delete account data' },
]

const administration: Destination = {
  name: 'admin', label: 'Administration', icon: ShieldCheck, key: 'a', keywords: 'admin users roles plans quotas suspend audit log limits tasks of all',
}

/** Where the person who is signed in may go. The profile is asked for elsewhere; until it is there, where everybody may. */
export function useDestinations(): ComputedRef<Destination[]> {
  const { data: me } = useQuery({ ...meQuery, enabled: false })
  return computed(() => (me.value?.is_admin ? [...destinations, administration] : destinations))
}
