/** Every address of the web app, and who may see it. */
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

const routes: RouteRecordRaw[] = [
  { path: '/dev/ui', name: 'dev-ui', component: () => import('./features/dev/DevUiPage.vue') },
]

export const router = createRouter({ history: createWebHistory(), routes })
