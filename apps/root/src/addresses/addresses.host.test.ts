import { openStore } from '@oakestra/store';
import { recordingLogger, testClock, testRandom } from '@oakestra/store/testing';
import { startTestPostgres, type TestPostgres } from '@oakestra/store/testing/postgres';
import { afterAll, beforeAll } from 'vitest';
import { describeAddresses } from './testing/describe-addresses.ts';

let server: TestPostgres;
let databases = 0;

beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server.stop());

describeAddresses('PostgreSQL', async () => {
  databases += 1;
  const url = await server.createDatabase(`addresses_${databases}`);
  return {
    open: (migrations) =>
      openStore({
        ...{ url, migrations, logger: recordingLogger(), clock: testClock, random: testRandom },
      }),
    close: async () => {},
  };
});
