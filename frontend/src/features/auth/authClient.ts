/** Of Supabase's client we use this part alone; the others (tables, storage, realtime) would weigh more than all of it. */
export { AuthClient } from '@supabase/auth-js'
