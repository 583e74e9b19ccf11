export { openTestStore, recordingLogger, temporaryFolder, testClock, testRandom } from '../test-ports.ts';
export { createFaultyStore, type FaultyStore } from './faulty-store.ts';
