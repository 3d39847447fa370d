/** Renders a page as the app would: with its router, its stores and its server state. */
import { VueQueryPlugin } from '@tanstack/vue-query'
import { render } from '@testing-library/vue'
import { createPinia, setActivePinia } from 'pinia'
import type { Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { queryClient } from '@/api/queries'

const Empty = { template: '<p>another page</p>' }
const names = ['sign-in', 'sign-up', 'forgotten-password', 'verify-email', 'new-password', 'save-demo', 'status', 'dashboard']

export async function renderPage(page: Component, options: { at?: string, props?: Record<string, unknown> } = {}) {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      ...names.map((name) => ({ path: name === 'dashboard' ? '/' : `/${name}`, name, component: Empty })),
      { path: '/strategies/:name?/:part?', name: 'strategies', component: Empty },
      { path: '/backtests/:id?', name: 'backtests', component: Empty },
      { path: '/predictions/:part(new|models)?/:id?', name: 'predictions', component: Empty },
      { path: '/data/:id?', name: 'data', component: Empty },
      { path: '/shared/:token', name: 'shared', component: Empty },
      { path: '/admin/:part?/:id?', name: 'admin', component: Empty },
      { path: '/settings/:tab?', name: 'settings', component: Empty, meta: { access: 'signed_in' as const } },
    ],
  })
  await router.push(options.at ?? '/')
  const pinia = createPinia()
  setActivePinia(pinia)
  const view = render(page, { props: options.props, global: { plugins: [pinia, router, [VueQueryPlugin, { queryClient }]] } })
  return { ...view, router }
}
