import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { endingCases } from './conformance/ending-cases.ts';
import { failureCases } from './conformance/failure-cases.ts';
import { identityCases } from './conformance/identity-cases.ts';
import { startCases } from './conformance/start-cases.ts';
import { type ConformanceBackend, createWorld, type World } from './conformance/world.ts';

export type { ConformanceBackend, ConformancePrograms } from './conformance/world.ts';

export interface ConformanceOptions {
  /** Of the runtime, for the report. */
  readonly name: string;
  /** Called once; all cases share the backend, and each leaves it empty. */
  readonly setup: () => Promise<ConformanceBackend>;
}

/**
 * What every runtime promises to the worker, as tests. A runtime whose `capabilities.enforcesLimits` is false
 * may let an instance take more memory than it asked for, and is not tested for it.
 */
export function runtimeConformance({ name, setup }: ConformanceOptions): void {
  describe(`${name} keeps the promises of a runtime`, () => {
    let world: World | undefined;
    const current = (): World => {
      if (world === undefined) throw new Error('the backend did not start');
      return world;
    };
    beforeAll(async () => {
      world = await createWorld(await setup());
    });
    afterEach(async () => {
      const { runtime, backend } = current();
      for (const { id } of await runtime.list()) await runtime.remove(id);
      expect(await runtime.list()).toEqual([]);
      expect(await backend.leftovers()).toEqual([]);
    });
    afterAll(async () => {
      await world?.close();
    });

    startCases(current);
    endingCases(current);
    failureCases(current);
    identityCases(current);
  });
}
