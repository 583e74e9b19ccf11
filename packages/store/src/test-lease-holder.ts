// A program for the tests of leadership: leads when it can, and writes rows that only a leader may write.
import { writeSync } from 'node:fs';
import { OakestraError, Sensitive } from '@oakestra/contracts';
import { type ConformanceSchema, conformanceMigrations } from './conformance-schema.ts';
import { createLease } from './lease.ts';
import { openPostgresStore } from './open-postgres-store.ts';
import { recordingLogger, testClock, testRandom } from './test-ports.ts';

const say = (text: string): void => void writeSync(1, `${text}\n`);

async function run(): Promise<void> {
  const ports = { logger: recordingLogger(), clock: testClock, random: testRandom };
  const store = await openPostgresStore<ConformanceSchema>({
    url: new Sensitive(process.argv[2]!),
    migrations: conformanceMigrations,
    ...ports,
  });
  const lease = createLease({
    store,
    name: 'leader',
    holder: process.argv[3]!,
    ...ports,
    acquired: (fencing) => say(`leads ${fencing}`),
    lost: () => say('lost'),
  });
  // The statement is kept on purpose: what an old leader began arrives late.
  let fencing: ReturnType<typeof lease.fencing> | undefined;
  for (let number = 0; ; number += 1) {
    try {
      fencing ??= lease.fencing();
      const id = `${process.argv[3]}-${number}`;
      const row = store.db.insertInto('boxes').values({ id, label: id, size: number, weight: null });
      await store.commit([row, fencing], { durability: 'normal' });
      say(`stored ${number}`);
    } catch (error) {
      say(`failed ${error instanceof OakestraError ? error.code : String(error)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

void run();
