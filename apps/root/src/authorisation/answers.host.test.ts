import { openStore } from '@oakestra/store';
import { recordingLogger, testClock, testRandom } from '@oakestra/store/testing';
import { startTestPostgres, type TestPostgres } from '@oakestra/store/testing/postgres';
import { afterAll, beforeAll } from 'vitest';
import { rootMigrations } from '../root-store.ts';
import type { RootSchema } from './snapshot.ts';
import { describeAnswers } from './testing/describe-answers.ts';

let server: TestPostgres;
let databases = 0;

beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server.stop());

describeAnswers('PostgreSQL', async () => {
  databases += 1;
  return openStore<RootSchema>({
    ...{ url: await server.createDatabase(`answers_${databases}`), migrations: rootMigrations },
    ...{ logger: recordingLogger(), clock: testClock, random: testRandom },
  });
});
