export { buildDemoImage, type DemoSla, demoSla } from './demo.ts';
