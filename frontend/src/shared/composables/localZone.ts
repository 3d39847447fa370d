/** The time zone of this device, for those who are not signed in and as a first guess for those who are. */
export const localZone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
