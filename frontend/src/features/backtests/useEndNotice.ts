/** A notice of the browser when a long run ends while nobody looks. It is asked for by a button, never by itself. */
import { computed, ref } from 'vue'

const longSeconds = 20

export function useEndNotice() {
  const permission = ref<NotificationPermission | 'unsupported'>('Notification' in window ? Notification.permission : 'unsupported')
  const isWanted = ref(sessionStorage.getItem('tidemark.end-notice') === 'on' && permission.value === 'granted')

  async function want() {
    if (permission.value === 'unsupported') return
    permission.value = await Notification.requestPermission()
    isWanted.value = permission.value === 'granted'
    if (isWanted.value) sessionStorage.setItem('tidemark.end-notice', 'on')
  }

  function tell(title: string, body: string, tookSeconds: number) {
    if (!isWanted.value || tookSeconds < longSeconds || document.visibilityState !== 'hidden') return
    const notice = new Notification(title, { body, tag: title })
    notice.onclick = () => {
      window.focus()
      notice.close()
    }
  }

  return { isWanted, mayAsk: computed(() => permission.value === 'default' || (permission.value === 'granted' && !isWanted.value)), want, tell }
}
