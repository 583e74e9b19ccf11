/**
 * What `npm start` takes from here to show the demo. Bundled to one file, so that it runs without a TypeScript loader;
 * paths come as arguments.
 */
export { buildDemoImage, type DemoSla, demoSla } from './demo/index.ts';
export { freePort } from './processes/index.ts';
export { type Registry, type RegistryOptions, startRegistry } from './registry/index.ts';
export { sweep } from './sweep.ts';
