import { join } from 'node:path';
import { describeStoreConformance } from './conformance.ts';
import type { ConformanceSchema } from './conformance-schema.ts';
import { openTestStore, temporaryFolder } from './test-ports.ts';

describeStoreConformance('SQLite', async () => {
  const folder = await temporaryFolder();
  const backupPath = join(folder.path, 'backup.db');
  return {
    open: (migrations, compatibleFrom) =>
      openTestStore<ConformanceSchema>(
        join(folder.path, 'store.db'),
        migrations,
        compatibleFrom === undefined ? {} : { compatibleFrom },
      ),
    backupPath,
    openBackup: (migrations) => openTestStore<ConformanceSchema>(backupPath, migrations),
    remove: folder.remove,
  };
});
