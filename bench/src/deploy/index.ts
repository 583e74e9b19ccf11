export { measureDeploy } from './deploy.ts';
