import { afterAll, beforeAll } from 'vitest';
import { describeStoreConformance } from './conformance.ts';
import type { ConformanceSchema } from './conformance-schema.ts';
import { openPostgresStore } from './open-postgres-store.ts';
import { recordingLogger, testClock, testRandom } from './test-ports.ts';
import { startTestPostgres, type TestPostgres } from './test-postgres.ts';

let server: TestPostgres;
let databases = 0;
beforeAll(async () => {
  server = await startTestPostgres();
});
afterAll(() => server?.stop());

describeStoreConformance('PostgreSQL', async () => {
  databases += 1;
  const name = `conformance_${databases}`;
  const url = await server.createDatabase(name);
  return {
    open: (migrations, compatibleFrom) =>
      openPostgresStore<ConformanceSchema>({
        url,
        migrations,
        logger: recordingLogger(),
        clock: testClock,
        random: testRandom,
        ...(compatibleFrom === undefined ? {} : { compatibleFrom }),
      }),
    backupPath: '/nowhere/backup.db',
    openBackup: () => Promise.reject(new Error('there are no backup files')),
    remove: async () => void (await server.query('postgres', `drop database ${name}`)),
  };
});
