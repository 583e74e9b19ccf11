// A program for the crash tests: commits numbered rows and prints the number of each one that was acknowledged.
import { writeSync } from 'node:fs';
import { OakestraError } from '@oakestra/contracts';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import { openTestStore, recordingLogger } from './test-ports.ts';

const [path, first, count, payloadBytes] = process.argv.slice(2);
const label = 'x'.repeat(Number(payloadBytes));

async function run(): Promise<void> {
  const logger = recordingLogger((line) => writeSync(1, `log ${line.message}\n`));
  const store = await openTestStore<ConformanceSchema>(path!, conformanceMigrations, { logger });
  writeSync(1, 'open\n');
  let next = Number(first);
  const end = next + Number(count);
  const commitOne = async (): Promise<void> => {
    while (next < end) {
      const size = next;
      next += 1;
      const row = { id: `${size}`, label: `${size} ${label}`, size, weight: null };
      const item = { id: `${size}`, box: `${size}`, position: 0 };
      const batch = [store.db.insertInto('boxes').values(row), store.db.insertInto('items').values(item)];
      try {
        await store.commit(batch, { durability: 'full' });
        writeSync(1, `stored ${size}\n`);
      } catch (error) {
        writeSync(1, `failed ${size} ${error instanceof OakestraError ? error.code : String(error)}\n`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, commitOne));
  await store.close();
  writeSync(1, 'closed\n');
}

run().catch((error: unknown) => {
  writeSync(1, `refused 0 ${error instanceof OakestraError ? error.code : String(error)}\n`);
  process.exitCode = 1;
});
