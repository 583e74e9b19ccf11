export { classicDocsFace } from './docs-face.ts';
