/** The charts, each fetched when it is first shown: none of them weighs on the first load. */
import { defineAsyncComponent } from 'vue'

export const PriceChart = defineAsyncComponent(() => import('./PriceChart.vue'))
export const EquityChart = defineAsyncComponent(() => import('./EquityChart.vue'))
export const BarsChart = defineAsyncComponent(() => import('./BarsChart.vue'))
export const HistogramChart = defineAsyncComponent(() => import('./HistogramChart.vue'))
export const MonthTable = defineAsyncComponent(() => import('./MonthTable.vue'))
export const HeatMap = defineAsyncComponent(() => import('./HeatMap.vue'))

export type * from './types'
