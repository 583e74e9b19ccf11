import {
  type ServiceDocument,
  sealedReferencesOf,
  sealedVersionKey,
  sealedVersionsOf,
  type TierCommand,
} from '@oakestra/contracts';
import { createOvertaking } from '@oakestra/daemon';
import { createVirtualDisk } from '../virtual/disk.ts';
import type { SeededRandom } from '../virtual/random.ts';
import type { VirtualTime } from '../virtual/time.ts';

/** The values of secrets that a node keeps, as its product does: on disk before the order that brought them is obeyed. */
export interface VirtualValues {
  has(document: ServiceDocument): boolean;
  stored(): ReadonlySet<string>;
  /**
   * Hands the command on, as soon as the values that it brings are kept; when it is overtaken until then, `erase` is
   * called instead.
   */
  obey(command: TierCommand, obey: (command: TierCommand) => void, erase: () => void): void;
  /** Erases what none of these refers to. */
  retain(documents: Iterable<ServiceDocument>): void;
  /** The process ended. */
  crash(): void;
  /** The disk is another one. */
  lose(): void;
}

const NONE: ReadonlySet<string> = new Set();

export function createVirtualValues(options: {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
}): VirtualValues {
  const disk = createVirtualDisk<ReadonlySet<string>>({ ...options, empty: NONE });
  let stored = new Set<string>();
  let held: string[] = [];
  let life = 0;
  const arriving = createOvertaking();
  return {
    has: (document) => [...sealedVersionsOf(document)].every((key) => stored.has(key)),
    stored: () => stored,
    obey(command, obey, erase) {
      if (command.type !== 'deploy' || command.values === undefined) {
        if ('key' in command) arriving.passes(command.key);
        obey(command);
        return;
      }
      const { values, ...bare } = command;
      const mayPass = arriving.waits(command.key);
      const mine = life;
      const keys = values.map(sealedVersionKey);
      held.push(...keys);
      disk.commit(
        (before) => new Set([...before, ...keys]),
        'full',
        () => {
          if (mine !== life) return;
          for (const key of keys) stored.add(key);
          const isObeyed = mayPass();
          if (isObeyed) obey(bare);
          for (const key of keys) held.splice(held.indexOf(key), 1);
          if (!isObeyed) erase();
        },
      );
    },
    retain(documents) {
      const wanted = new Set(held);
      for (const document of documents) for (const key of sealedVersionsOf(document)) wanted.add(key);
      const erased = [...stored].filter((key) => !wanted.has(key));
      if (erased.length === 0) return;
      for (const key of erased) stored.delete(key);
      disk.commit(
        (before) => new Set([...before].filter((key) => !erased.includes(key))),
        'normal',
        () => {},
      );
    },
    crash() {
      life += 1;
      held = [];
      disk.crash();
      stored = new Set(disk.read());
    },
    lose() {
      disk.replace(NONE);
      stored = new Set();
    },
  };
}

/**
 * A deploy command takes its values along, which are read before it leaves: others may overtake it, and then it does not
 * leave if they are about the same instance.
 */
export function createSendingWithValues({
  time,
  random,
}: {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
}): (member: string, command: TierCommand, send: (command: TierCommand) => void) => void {
  const leaving = createOvertaking();
  return (member, command, send) => {
    const references = command.type === 'deploy' ? sealedReferencesOf(command.document) : [];
    if (command.type !== 'deploy' || references.length === 0) {
      if ('key' in command) leaving.passes(`${member} ${command.key}`);
      send(command);
      return;
    }
    const values = references.flatMap(({ id, version }) =>
      version === null ? [] : [{ id, version, base64: '' }],
    );
    const mayLeave = leaving.waits(`${member} ${command.key}`);
    time.after(random.below(20), () => {
      if (mayLeave()) send({ ...command, values });
    });
  };
}
