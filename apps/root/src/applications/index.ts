export type { Applications, ApplicationView } from './applications.ts';
export { openApplications } from './open-applications.ts';
export { type ApplicationsSchema, applicationsMigrations } from './schema.ts';
