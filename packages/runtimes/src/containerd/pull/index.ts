export { type ImagePullProgramOptions, runImagePullProgram } from './image-pull-main.ts';
export type { NamedImage } from './image-records.ts';
export type { ChildProgram } from './pull-child.ts';
export {
  createImagePuller,
  type ImagePuller,
  type ImagePullerOptions,
  type PulledImage,
} from './pull-process.ts';
