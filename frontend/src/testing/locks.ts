/** Web Locks as several tabs of one browser share them; jsdom has none. */
interface Holder {
  release: () => void
  fail: (reason: unknown) => void
}

export class SharedLocks {
  private holder: Holder | undefined
  private waiting: { begin: () => void }[] = []

  request = ((_name: string, options: LockOptions, work: () => Promise<unknown>) => new Promise<unknown>((resolve, reject) => {
    const withdraw = () => {
      this.waiting = this.waiting.filter((candidate) => candidate !== candidacy)
      reject(new DOMException('Withdrawn', 'AbortError'))
    }
    const begin = () => {
      options.signal?.removeEventListener('abort', withdraw)
      const holder: Holder = { release: () => { this.release(holder) }, fail: reject }
      this.holder = holder
      void work().then(resolve, reject).finally(holder.release)
    }
    const candidacy = { begin }
    options.signal?.addEventListener('abort', withdraw)
    if (options.steal) {
      this.holder?.fail(new DOMException('Stolen', 'AbortError'))
      begin()
    } else if (this.holder === undefined) {
      begin()
    } else {
      this.waiting.push(candidacy)
    }
  })) as LockManager['request']

  /** As when the tab that holds the lock is closed or crashes, whatever it was doing. */
  private release(holder: Holder) {
    if (this.holder !== holder) return
    this.holder = undefined
    this.waiting.shift()?.begin()
  }
}
