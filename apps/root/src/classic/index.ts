export { classicFace, classicRoutes, sendClassicError } from './classic-face.ts';
export { classicDocsFace } from './openapi/index.ts';
