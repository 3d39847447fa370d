/** Every address of the web app, and who may see it. */
import { shallowRef } from 'vue'
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { checkNow, useConnection } from './api/connection'
import { destination } from './features/auth/destination'
import { useSession } from './features/auth/session'

declare module 'vue-router' {
  interface RouteMeta {
    title?: string
    /** guests: only who is not signed in; signed_in: the others; without it everybody. */
    access?: 'guests' | 'signed_in'
  }
}

const auth: RouteRecordRaw[] = [
  { path: 'sign-in', name: 'sign-in', component: () => import('./features/auth/SignInPage.vue'), meta: { title: 'Sign in', access: 'guests' } },
  { path: 'sign-up', name: 'sign-up', component: () => import('./features/auth/SignUpPage.vue'), meta: { title: 'Create an account', access: 'guests' } },
  { path: 'forgotten-password', name: 'forgotten-password', component: () => import('./features/auth/ForgottenPasswordPage.vue'), meta: { title: 'Reset your password' } },
  { path: 'new-password', name: 'new-password', component: () => import('./features/auth/NewPasswordPage.vue'), meta: { title: 'New password' } },
  { path: 'verify-email', name: 'verify-email', component: () => import('./features/auth/VerifyEmailPage.vue'), meta: { title: 'Confirm your email' } },
  { path: 'save-demo', name: 'save-demo', component: () => import('./features/auth/SaveDemoPage.vue'), meta: { title: 'Save the demo', access: 'signed_in' } },
]

const app: RouteRecordRaw[] = [
  { path: '', name: 'dashboard', component: () => import('./features/dashboard/DashboardPage.vue'), meta: { title: 'Dashboard', access: 'signed_in' } },
  { path: 'backtests/:id?', name: 'backtests', component: () => import('./features/backtests/BacktestPages.vue'), meta: { title: 'Backtests', access: 'signed_in' } },
  { path: 'predictions/:part(new|models)?/:id?', name: 'predictions', component: () => import('./features/models/ModelPages.vue'), meta: { title: 'Predictions', access: 'signed_in' } },
  { path: 'strategies/:name?/:part(edit)?', name: 'strategies', component: () => import('./features/strategies/StrategyPages.vue'), meta: { title: 'Strategies', access: 'signed_in' } },
  { path: 'data/:id?', name: 'data', component: () => import('./features/market/MarketPages.vue'), meta: { title: 'Data', access: 'signed_in' } },
  { path: 'status', name: 'status', component: () => import('./features/jobs/StatusPage.vue'), meta: { title: 'Status centre', access: 'signed_in' } },
  { path: 'admin/:part(users|tasks|audit|plans|limits)?/:id?', name: 'admin', component: () => import('./features/admin/AdminPages.vue'), meta: { title: 'Administration', access: 'signed_in' } },
  { path: 'settings/:tab(profile|preferences|keys|security|data)?', name: 'settings', component: () => import('./features/settings/SettingsPage.vue'), meta: { title: 'Settings', access: 'signed_in' } },
]

const routes: RouteRecordRaw[] = [
  { path: '/', component: () => import('./layouts/AppLayout.vue'), children: app },
  { path: '/', component: () => import('./layouts/AuthLayout.vue'), children: auth },
  { path: '/shared/:token', name: 'shared', component: () => import('./features/backtests/sharing/SharedPage.vue'), meta: { title: 'Shared result' } },
  { path: '/dev/ui', name: 'dev-ui', component: () => import('./features/dev/DevUiPage.vue'), meta: { title: 'Components' } },
  { path: '/:path(.*)*', name: 'not-found', component: () => import('./layouts/NotFoundPage.vue'), meta: { title: 'Page not found' } },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

router.beforeEach(async (to) => {
  const session = useSession()
  await session.start()
  if (to.meta.access === 'signed_in' && session.status !== 'signed_in') {
    return { name: 'sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
  }
  if (to.meta.access === 'guests' && session.status === 'signed_in') return destination(router, to)
  return true
})

/** Set when the very first page could not be opened: there is nothing on the screen yet to stay on. */
export const firstPageFailure = shallowRef<unknown>(null)
const reloadedAtKey = 'tidemark.reloaded'
const reloadAtMostEveryMilliseconds = 10_000

/** A page that could not be fetched: the server is away, or a new version took its files away. */
router.onError(async (error: unknown, to, from) => {
  await checkNow()
  const reloadedAt = Number(sessionStorage.getItem(reloadedAtKey))
  if (useConnection().isLost.value || Date.now() - reloadedAt < reloadAtMostEveryMilliseconds) {
    if (from.matched.length === 0) firstPageFailure.value = error
    return // else the page stays, the banner says why, and the link can be followed again
  }
  sessionStorage.setItem(reloadedAtKey, String(Date.now()))
  window.location.assign(to.fullPath)
})
