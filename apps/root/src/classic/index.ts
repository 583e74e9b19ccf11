export { classicFace, sendClassicError } from './classic-face.ts';
