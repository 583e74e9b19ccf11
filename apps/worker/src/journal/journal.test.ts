import {
  createMemoryDisk,
  type Disk,
  DiskError,
  type Logger,
  type MemoryDisk,
  type MemoryDiskOptions,
} from '@oakestra/daemon';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { entryOf } from '../instances/testing/test-entries.ts';
import type { InstanceEntry } from './entry.ts';
import { type Journal, openJournal } from './journal.ts';
import { decodeLine, encodeLine, type JournalLine } from './line.ts';

const PATH = '/state/journal';
const logged = vi.fn();
const logger: Logger = { debug: logged, info: logged, warn: logged, error: logged, child: () => logger };
beforeEach(() => logged.mockReset());

const open = (disk: Disk): Promise<Journal> =>
  openJournal({ disk, path: PATH, logger, newIncarnation: () => 'new' });

async function newDisk(options?: MemoryDiskOptions): Promise<MemoryDisk> {
  const disk = createMemoryDisk(options);
  await disk.ensureDirectory('/state');
  return disk;
}

const append = (journal: Journal, ...lines: JournalLine[]): Promise<void> =>
  new Promise((resolve, reject) => {
    journal.append(lines, (error) => (error === undefined ? resolve() : reject(error)));
  });

const meta = (incarnation: string): JournalLine => ({
  kind: 'meta',
  meta: { incarnation, highestEpoch: { root: 3, cluster: 4 }, fenceByMs: null },
});
const entryLine = (number: number, fields: Partial<InstanceEntry> = {}): JournalLine => ({
  kind: 'entry',
  entry: entryOf({ number, ...fields }),
});
const gone = (number: number): JournalLine => ({ kind: 'gone', key: entryOf({ number }).key });
const textOf = async (disk: Disk): Promise<string> =>
  Buffer.from((await disk.readFile(PATH)) ?? []).toString('utf8');
const keysOf = ({ content }: Journal): string[] => [...content.entries.keys()];

it('gives back after a restart what it was told, the latest of each', async () => {
  const disk = await newDisk();
  const first = await open(disk);
  expect(first.content).toMatchObject({ meta: { incarnation: 'new' }, boots: 0, workerId: undefined });
  await append(first, meta('kept'), { kind: 'boot', boots: 1 });
  await append(first, { kind: 'worker', workerId: 'd'.repeat(24) });
  await append(first, entryLine(0), entryLine(1), entryLine(2));
  await append(first, entryLine(1, { wanted: 'removed' }), gone(2));
  await first.close();
  const { content } = await open(disk);
  expect(content).toEqual(first.content);
  expect(content).toMatchObject({ meta: { incarnation: 'kept' }, boots: 1, workerId: 'd'.repeat(24) });
  expect([...content.entries.values()].map(({ wanted }) => wanted)).toEqual(['running', 'removed']);
});

it('keeps names and texts in any script', () => {
  const line = entryLine(0, { ownerUserId: 'Ümläut 名前 🚢 \u2028 "\\\n' });
  expect(decodeLine(encodeLine(line).trimEnd())).toEqual(line);
});

it('acknowledges in the order of the calls, and those in flight share a sync', async () => {
  let syncs = 0;
  const disk = await newDisk({
    beforeOperation(operation) {
      if (operation === 'sync') syncs += 1;
    },
  });
  const journal = await open(disk);
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      append(journal, { kind: 'boot', boots: index }).then(() => order.push(index)),
    ),
  );
  expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index));
  expect(syncs).toBeLessThanOrEqual(2);
});

it('writes what is under way before it closes, however often it is told to', async () => {
  const disk = await newDisk();
  const journal = await open(disk);
  const written = append(journal, entryLine(0));
  await Promise.all([journal.close(), journal.close()]);
  await written;
  await expect(append(journal, entryLine(1))).rejects.toMatchObject({ code: 'disk-closed' });
  expect(keysOf(await open(disk))).toHaveLength(1);
});

it('goes on when what follows from an entry throws', async () => {
  const journal = await open(await newDisk());
  journal.append([entryLine(0)], () => {
    throw new Error('not the fault of the journal');
  });
  await append(journal, entryLine(1));
  await journal.close();
  expect(logged).toHaveBeenCalledTimes(1);
});

describe('damage', () => {
  it('at the end, where a crash tore the last write, is cut off without a word', async () => {
    const disk = await newDisk();
    const first = await open(disk);
    await append(first, entryLine(0), entryLine(1));
    await first.close();
    const whole = await textOf(disk);
    for (const cut of [1, 10, encodeLine(entryLine(1)).length - 1]) {
      await disk.replaceFile(PATH, Buffer.from(whole.slice(0, -cut)));
      const journal = await open(disk);
      expect(keysOf(journal)).toEqual([entryOf({ number: 0 }).key]);
      // What comes next does not grow together with the torn piece.
      await append(journal, entryLine(2));
      await journal.close();
      const again = await open(disk);
      expect(keysOf(again)).toEqual([entryOf({ number: 0 }).key, entryOf({ number: 2 }).key]);
      await again.close();
    }
    expect(logged).not.toHaveBeenCalled();
  });

  it('in the middle costs the damaged lines only, and is said', async () => {
    const disk = await newDisk();
    const first = await open(disk);
    await append(first, entryLine(0), entryLine(1), entryLine(2));
    await first.close();
    const lines = (await textOf(disk)).split('\n');
    lines[1] = `${lines[1]?.slice(0, -5)}XXXXX`;
    await disk.replaceFile(PATH, Buffer.from(lines.join('\n')));
    expect(keysOf(await open(disk))).toEqual([entryOf({ number: 0 }).key, entryOf({ number: 2 }).key]);
    expect(logged).toHaveBeenCalledWith(expect.stringContaining('damaged'), { lines: 1 });
  });

  it.each(['', 'x', '0123456 {}', '00000000 {"kind":"boot","boots":1}', '        '])(
    'is seen in "%s"',
    (text) => {
      expect(decodeLine(text)).toBeUndefined();
    },
  );
});

describe('a full disk', () => {
  it('fails this write and every later one, and the next process finds what was acknowledged', async () => {
    const disk = await newDisk();
    const journal = await open(disk);
    await append(journal, entryLine(0));
    disk.setCapacity(disk.usedBytes + 10);
    await expect(append(journal, entryLine(1))).rejects.toMatchObject({ code: 'disk-full' });
    disk.setCapacity(Number.POSITIVE_INFINITY);
    await expect(append(journal, entryLine(2))).rejects.toMatchObject({ code: 'disk-full' });
    await journal.close();
    expect(keysOf(await open(disk))).toEqual([entryOf({ number: 0 }).key]);
  });
});

describe('compaction', () => {
  const text = 'x'.repeat(10_000);
  const fill = async (journal: Journal, count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1)
      await append(journal, entryLine(0, { outcomeDetail: text, ownerUserId: String(index) }));
  };

  it('leaves out what is out of date, and nothing else', async () => {
    const disk = await newDisk();
    const journal = await open(disk);
    await append(journal, meta('kept'), { kind: 'boot', boots: 7 }, { kind: 'worker', workerId: 'w' });
    await append(journal, entryLine(1), entryLine(2, { wanted: 'removed' }), entryLine(3), gone(3));
    await fill(journal, 200);
    expect((await disk.readFile(PATH))?.byteLength).toBeLessThan(300_000);
    await append(journal, entryLine(4));
    await journal.close();
    const again = await open(disk);
    expect(again.content).toEqual(journal.content);
    expect(keysOf(again)).toHaveLength(4);
  });

  it('does not look again and again at a journal that is large because much is in it', async () => {
    const disk = await newDisk();
    const journal = await open(disk);
    let encoded = 0;
    for (let number = 0; number < 200; number += 1) {
      const entry = entryOf({ number, outcomeDetail: text });
      const toJSON = (): InstanceEntry => {
        encoded += 1;
        return entry;
      };
      await append(journal, { kind: 'entry', entry: Object.assign({ toJSON }, entry) });
    }
    expect((await disk.readFile(PATH))?.byteLength).toBeGreaterThan(2_000_000);
    encoded = 0;
    for (let boots = 0; boots < 200; boots += 1) await append(journal, { kind: 'boot', boots });
    expect(encoded).toBeLessThanOrEqual(200);
  });

  it('is put off while there is no room for a second file', async () => {
    let isCrowded = false;
    const inner = await newDisk();
    const disk: Disk = {
      ...inner,
      async replaceFile(path, content) {
        if (isCrowded) throw new DiskError('disk-full', 'write', path);
        await inner.replaceFile(path, content);
      },
    };
    const journal = await open(disk);
    isCrowded = true;
    await fill(journal, 60);
    const crowdedBytes = (await inner.readFile(PATH))?.byteLength ?? 0;
    expect(crowdedBytes).toBeGreaterThan(500_000);
    // Tried rarely, not at each write.
    expect(logged.mock.calls.length).toBeLessThanOrEqual(2);
    isCrowded = false;
    await fill(journal, 120);
    expect((await inner.readFile(PATH))?.byteLength).toBeLessThan(crowdedBytes);
    await journal.close();
    expect((await open(inner)).content).toEqual(journal.content);
  });

  it('that fails in an unknown way ends the journal: appends could go to a file that has no name any more', async () => {
    const inner = await newDisk();
    const disk: Disk = {
      ...inner,
      async replaceFile(path, content) {
        await inner.replaceFile(path, content);
        throw new DiskError('disk-full', 'write', path, new Error('while the folder was synced'));
      },
    };
    const journal = await open(disk);
    await expect(fill(journal, 60)).rejects.toMatchObject({ code: 'disk-full' });
  });

  it('removes what an unfinished one left', async () => {
    const disk = await newDisk();
    for (const name of ['journal.0a1b2c.tmp', 'other.0a1b2c.tmp', 'journal.txt'])
      await disk.replaceFile(`/state/${name}`, Buffer.from('x'));
    await open(disk);
    expect(await disk.listFiles('/state')).toEqual(['journal', 'journal.txt', 'other.0a1b2c.tmp']);
  });
});

describe('a crash', () => {
  /** What the lines say together. */
  function contentAfter(lines: readonly JournalLine[]): unknown {
    const entries = new Map<string, InstanceEntry>();
    let boots = 0;
    for (const line of lines) {
      if (line.kind === 'entry') entries.set(line.entry.key, line.entry);
      if (line.kind === 'gone') entries.delete(line.key);
      if (line.kind === 'boot') boots = line.boots;
    }
    return { boots, entries: [...entries].sort(([a], [b]) => (a < b ? -1 : 1)) };
  }
  const contentOf = ({ content: { boots, entries } }: Journal): unknown => ({
    boots,
    entries: [...entries].sort(([a], [b]) => (a < b ? -1 : 1)),
  });

  const lineArbitrary: fc.Arbitrary<JournalLine> = fc.oneof(
    fc.nat(4).map(gone),
    fc.nat(1000).map((boots): JournalLine => ({ kind: 'boot', boots })),
    fc
      .record({ number: fc.nat(4), ownerUserId: fc.string({ maxLength: 20, unit: 'grapheme' }) })
      .map(({ number, ownerUserId }) =>
        // Large enough that some runs are compacted.
        entryLine(number, { ownerUserId, outcomeDetail: 'detail' }),
      ),
  );

  it('at any operation loses nothing that was acknowledged, and invents nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(lineArbitrary, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 25 }),
        // The first operation makes the folder.
        fc.integer({ min: 2, max: 80 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom('data' as const, 'zeros' as const),
        async (batches, crashAt, keptShare, keptAs) => {
          let operations = 0;
          const disk: MemoryDisk = await newDisk({
            beforeOperation() {
              operations += 1;
              if (operations !== crashAt) return;
              disk.crash({ keptAs, keepUnsynced: (_path, bytes) => Math.floor(bytes * keptShare) });
            },
          });
          const lines = batches.flat();
          let acknowledged = 0;
          const openSmall = () =>
            openJournal({ disk, path: PATH, logger, newIncarnation: () => 'new', smallestBytes: 1000 });
          const journal = await openSmall().catch(() => undefined);
          for (const batch of journal === undefined ? [] : batches) {
            const isWritten = await append(journal as Journal, ...batch).then(
              () => true,
              () => false,
            );
            if (!isWritten) break;
            acknowledged += batch.length;
          }
          // Perhaps it crashes only now, while the journal is read.
          const found = contentOf(await openSmall().catch(openSmall));
          const possible = Array.from({ length: lines.length - acknowledged + 1 }, (_, more) =>
            contentAfter(lines.slice(0, acknowledged + more)),
          );
          expect(possible).toContainEqual(found);
        },
      ),
      { numRuns: 150 },
    );
  });
});
