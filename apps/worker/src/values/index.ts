export { ensureMemoryFolder, removeMemoryFolder } from './memory-folder.ts';
export { createShownValues, type GivenValues, type ShownValues } from './shown-values.ts';
export { openValueFiles, type ValueFiles } from './value-files.ts';
