export { type ClassicFaceOptions, type ClassicFaceParts, createClassicFace } from './classic-face.ts';
export { type PlainHttpOptions, plainHttpPolicy } from './plain-http.ts';
