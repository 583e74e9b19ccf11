import { defineSettings } from '@oakestra/daemon';
import { runTier } from './run-tier.ts';
import type { Machine, Tier } from './tier.ts';

const workerSettings = defineSettings({});
export const tier: Tier<typeof workerSettings> = {
  role: 'worker',
  summary: '',
  settings: workerSettings,
  compose() {},
};
export const run = (argv: readonly string[], machine: Machine): Promise<number> =>
  runTier(tier, argv, machine);
