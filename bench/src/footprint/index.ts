export { measureFootprint } from './footprint.ts';
