/** The chapters of the component page. */
import type { Component } from 'vue'
import DevActions from './DevActions.vue'
import DevCharts from './DevCharts.vue'
import DevFaces from './DevFaces.vue'
import DevFields from './DevFields.vue'
import DevLayout from './DevLayout.vue'
import DevNumbers from './DevNumbers.vue'
import DevOverlays from './DevOverlays.vue'
import DevPriceChart from './DevPriceChart.vue'
import DevStatus from './DevStatus.vue'
import DevTable from './DevTable.vue'
import DevTasks from './DevTasks.vue'
import DevTokens from './DevTokens.vue'

export interface Section {
  id: string
  title: string
  component: Component
}

export const sections: readonly Section[] = [
  { id: 'tokens', title: 'Colour and type', component: DevTokens },
  { id: 'actions', title: 'Actions', component: DevActions },
  { id: 'fields', title: 'Fields', component: DevFields },
  { id: 'numbers', title: 'Numbers and times', component: DevNumbers },
  { id: 'status', title: 'Status', component: DevStatus },
  { id: 'tasks', title: 'Tasks and machine', component: DevTasks },
  { id: 'faces', title: 'Faces of a view', component: DevFaces },
  { id: 'layout', title: 'Layout', component: DevLayout },
  { id: 'overlays', title: 'Overlays', component: DevOverlays },
  { id: 'table', title: 'Table', component: DevTable },
  { id: 'prices', title: 'Price chart', component: DevPriceChart },
  { id: 'charts', title: 'Charts', component: DevCharts },
]
