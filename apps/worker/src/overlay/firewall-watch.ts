import type { CancelTimer, Clock, Logger } from '@oakestra/daemon';
import { planFirewalls } from '@oakestra/netplan';
import type { Background } from './background.ts';
import { executeSteps, type NetworkTools } from './execute-steps.ts';
import type { Gate } from './gate.ts';
import { type NetworkState, settingsOf } from './network-state.ts';
import type { PublishedPorts } from './published-ports.ts';
import { readForeignChains } from './read-kernel.ts';

/** One short process each time. */
const WATCH_EVERY_MS = 30_000;

/**
 * Looks now and then whether our rules still stand (reloading a firewall often removes everything) and whether
 * another firewall has come that drops our traffic.
 */
export interface FirewallWatch {
  /** Begins, or begins anew. */
  start(): void;
  stop(): void;
  /** For people: what keeps traffic from passing, with the command that helps. */
  obstacles(): readonly string[];
  /** Takes over what a plan found; new obstacles are logged. */
  report(obstacles: readonly string[]): void;
}

export function createFirewallWatch(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly background: Background;
  readonly gate: Gate;
  readonly tools: NetworkTools;
  readonly state: NetworkState;
  readonly published: PublishedPorts;
}): FirewallWatch {
  const { clock, logger, background, gate, tools, state, published } = options;
  let obstacles: readonly string[] = [];
  let cancel: CancelTimer = () => {};

  const report = (found: readonly string[]) => {
    for (const obstacle of found) {
      if (!obstacles.includes(obstacle)) logger.warn('traffic of instances is blocked', { obstacle });
    }
    obstacles = found;
  };
  const check = async () => {
    const settings = settingsOf(state);
    const chains = await tools.nft.chains();
    if (!chains.some(({ family, table }) => family === 'ip' && table === settings.table)) {
      logger.warn('somebody removed our rules; writing them anew', { table: settings.table });
      await published.rewrite();
    }
    const plan = planFirewalls(settings, await readForeignChains(tools, settings, chains));
    for (const step of plan.steps) {
      if (step.kind === 'accept-in-foreign-chain') logger.info(step.reason, { ...step.target });
    }
    await executeSteps(plan.steps, tools);
    report(plan.obstacles);
  };
  const start = () => {
    cancel();
    cancel = clock.setTimer(WATCH_EVERY_MS, () => {
      if (background.start('checking the firewall', () => gate.shared('firewalls', check))) start();
    });
  };
  return {
    start,
    stop: () => cancel(),
    obstacles: () => obstacles,
    report,
  };
}
