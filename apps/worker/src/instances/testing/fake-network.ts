import type { LocalNetwork } from '../../overlay/index.ts';

type Part = Pick<LocalNetwork, 'namespacePathOf' | 'attach' | 'detach' | 'reconcile'>;

/** A network without a kernel, for tests of those who use it. */
export interface FakeNetwork extends LocalNetwork {
  readonly attached: ReadonlySet<string>;
  /** What the last `reconcile` was told, sorted. */
  readonly reconciled: readonly string[];
  /** The next calls of `attach` or `detach` fail. */
  fail(operation: 'attach' | 'detach', error: Error, times?: number): void;
  /** Keeps `attach` from ending until the returned function is called, or until it is given up. */
  hold(): () => void;
}

export function createFakeNetwork(): FakeNetwork {
  const attached = new Set<string>();
  const failures = { attach: [] as Error[], detach: [] as Error[] };
  let reconciled: string[] = [];
  let held: Promise<void> | undefined;

  const part: Part = {
    namespacePathOf: (instanceId) => `/run/netns/${instanceId}`,
    async attach({ instanceId, signal }) {
      const failure = failures.attach.shift();
      if (failure !== undefined) throw failure;
      const givenUp = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      givenUp.catch(() => {});
      await Promise.race([held, givenUp]);
      signal?.throwIfAborted();
      attached.add(instanceId);
      return { namespacePath: part.namespacePathOf(instanceId), address: '10.19.0.2' };
    },
    async detach(instanceId) {
      const failure = failures.detach.shift();
      if (failure !== undefined) throw failure;
      attached.delete(instanceId);
    },
    async reconcile(known) {
      reconciled = known.map(({ instanceId }) => instanceId).sort();
      return { kept: [], created: [], removed: [], quarantined: [] };
    },
  };
  const unused = (): never => {
    throw new Error('tests do not use this');
  };
  return {
    ...part,
    portHolder: unused,
    status: unused,
    purge: unused,
    close: async () => {},
    attached,
    get reconciled() {
      return reconciled;
    },
    fail(operation, error, times = 1) {
      for (let count = 0; count < times; count += 1) failures[operation].push(error);
    },
    hold() {
      let release = (): void => {};
      held = new Promise((resolve) => {
        release = resolve;
      });
      return () => {
        held = undefined;
        release();
      };
    },
  };
}
