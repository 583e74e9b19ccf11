export { createClassicFace } from './classic-face.ts';
export { plainHttpPolicy } from './plain-http.ts';
