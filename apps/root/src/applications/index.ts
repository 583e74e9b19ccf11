export type { Applications, ApplicationView, Submission, SubmittedService } from './applications.ts';
export { type ApplicationsOptions, openApplications } from './open-applications.ts';
export { type ApplicationsSchema, applicationsMigrations } from './schema.ts';
