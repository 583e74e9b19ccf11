import { messageOf } from '@oakestra/contracts';
import type { Logger } from '@oakestra/daemon';
import type { Nft } from '@oakestra/host';
import {
  type InstanceNetwork,
  type NetworkSettings,
  type Publication,
  portKey,
  renderRuleChange,
  renderRuleSet,
} from '@oakestra/netplan';

/** Keeps the maps of our table as they should be, one transaction at a time. */
export interface PublishedPorts {
  /** Replaces what the instance published before; on failure that stays. */
  publish(instance: InstanceNetwork): Promise<void>;
  /** Also finishes what an earlier failure left undone. */
  withdraw(namespace: string): Promise<void>;
  /** Writes the whole table anew. */
  rewrite(): Promise<void>;
  /** States what the kernel has now, after a plan wrote the table. */
  assume(instances: readonly InstanceNetwork[]): void;
}

export interface PublishedPortsOptions {
  readonly nft: Pick<Nft, 'apply'>;
  readonly settings: () => NetworkSettings;
  readonly logger: Logger;
}

/**
 * Requests that come while a transaction runs go together in the next one. A change that the kernel refuses (the
 * table was changed or flushed behind our back) is followed by a rewrite of everything.
 */
export function createPublishedPorts({ nft, settings, logger }: PublishedPortsOptions): PublishedPorts {
  /** By namespace. */
  const desired = new Map<string, InstanceNetwork>();
  /** By port and protocol, what the kernel was told last. */
  let applied: ReadonlyMap<string, Publication> = new Map();
  let mustRewrite = false;
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const writeAll = async () => {
    const target = publicationsOf(desired.values());
    await nft.apply(renderRuleSet(settings(), [...desired.values()]));
    applied = target;
    mustRewrite = false;
  };
  const write = async () => {
    if (mustRewrite) return writeAll();
    const target = publicationsOf(desired.values());
    const text = renderRuleChange(settings(), {
      publish: without(target, applied),
      withdraw: without(applied, target),
    });
    if (text === '') return;
    try {
      await nft.apply(text);
      applied = target;
    } catch (error) {
      logger.warn('the table of published ports is not as we left it; writing it anew', {
        reason: messageOf(error),
      });
      mustRewrite = true;
      await writeAll();
    }
  };
  /** Waits for the transaction that runs now, then writes for all who asked meanwhile. */
  const enqueue = (): Promise<void> => {
    const start = async () => {
      await running.catch(() => {});
      next = undefined;
      running = write();
      return running;
    };
    next ??= start();
    return next;
  };

  return {
    async publish(instance) {
      const { namespace } = instance;
      const before = desired.get(namespace);
      desired.set(namespace, instance);
      try {
        await enqueue();
      } catch (error) {
        if (before === undefined) desired.delete(namespace);
        else desired.set(namespace, before);
        throw error;
      }
    },
    async withdraw(namespace) {
      if (desired.delete(namespace) || mustRewrite) await enqueue();
    },
    rewrite() {
      mustRewrite = true;
      return enqueue();
    },
    assume(instances) {
      desired.clear();
      for (const instance of instances) desired.set(instance.namespace, instance);
      applied = publicationsOf(instances);
      mustRewrite = false;
    },
  };
}

function publicationsOf(instances: Iterable<InstanceNetwork>): Map<string, Publication> {
  const byPort = new Map<string, Publication>();
  for (const { address, ports } of instances) {
    for (const port of ports) byPort.set(portKey(port), { address, ports: [port] });
  }
  return byPort;
}

/** What `all` has and `other` has not, or has otherwise. */
function without(
  all: ReadonlyMap<string, Publication>,
  other: ReadonlyMap<string, Publication>,
): Publication[] {
  return [...all].filter(([key, one]) => !isSame(one, other.get(key))).map(([, one]) => one);
}

function isSame(one: Publication, other: Publication | undefined): boolean {
  return one.address === other?.address && one.ports[0]?.containerPort === other.ports[0]?.containerPort;
}
