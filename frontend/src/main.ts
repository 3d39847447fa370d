/** Wiring only: the app, its router, its stores and its server state. */
import { VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { watchConnection } from './api/connection'
import { queryClient } from './api/queries'
import App from './App.vue'
import { router } from './router'
import './styles/base.css'

watchConnection()
createApp(App).use(createPinia()).use(VueQueryPlugin, { queryClient }).use(router).mount('#app')
