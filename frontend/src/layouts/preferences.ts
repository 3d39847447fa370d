/** Ties what a person prefers to what this browser shows: the profile wins once it is read, changes go to both. */
import { useQuery } from '@tanstack/vue-query'
import { computed, watch } from 'vue'
import { notify } from '@/shared/composables/notify'
import { changePreferences, meQuery, type Preferences } from '@/api/accounts'
import { ApiError } from '@/api/client'
import { useAppearance } from '@/shared/composables/appearance'
import { localZone } from '@/shared/composables/localZone'

/** Applies the profile to the page for as long as somebody is signed in. */
export function useProfilePreferences() {
  const { data: me } = useQuery(meQuery)
  const { appearance, choose, isStandard } = useAppearance()
  let adopted = ''

  watch(() => me.value, (profile) => {
    if (profile === undefined) return
    const isFirstVisit = adopted !== profile.user_id && profile.version === 1
    adopted = profile.user_id
    if (isFirstVisit && (!isStandard() || profile.preferences.timezone !== localZone)) {
      const { theme, palette, density } = appearance
      void choosePreferences({ theme, palette, density, timezone: localZone }) // chosen before signing up, or plain to see
      return
    }
    const { theme, palette, density } = profile.preferences
    choose({ theme, palette, density })
  }, { immediate: true })

  return { singleKeys: computed(() => me.value?.preferences.single_key_shortcuts ?? true) }
}

/** Shows the choice at once and keeps it in the profile. */
export async function choosePreferences(change: Partial<Preferences>) {
  const { choose } = useAppearance()
  const { theme, palette, density } = change
  choose(Object.fromEntries(Object.entries({ theme, palette, density }).filter(([, value]) => value !== undefined)))
  try {
    await changePreferences(change)
  } catch (error) {
    const reason = error instanceof ApiError ? error.explanation : 'Something unexpected happened.'
    notify.error(`Not saved to your profile. ${reason} It holds in this browser until you sign in again.`)
  }
}
