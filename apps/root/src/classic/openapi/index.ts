export { classicDocsFace } from './docs-face.ts';
export { classicOpenApi, type DescribedRoute } from './document.ts';
