export { createAbstractorFace } from './abstractor-face.ts';
export { abstractorAccess } from './access.ts';
export { createCorePorts } from './core-ports.ts';
export { createKeyFace } from './key-face.ts';
