export { classicFace } from './classic-face.ts';
