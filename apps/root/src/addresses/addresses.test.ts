import { join } from 'node:path';
import { openTestStore, temporaryFolder } from '@oakestra/store/testing';
import { describeAddresses } from './testing/describe-addresses.ts';

describeAddresses('SQLite', async () => {
  const folder = await temporaryFolder();
  return {
    open: (migrations) => openTestStore(join(folder.path, 'root.db'), migrations),
    close: folder.remove,
  };
});
