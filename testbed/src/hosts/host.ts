import {
  type CommandOptions,
  type CommandOutput,
  type ManagedProcess,
  type ProcessOptions,
  runCommand,
  startProcess,
} from '../processes/index.ts';
import type { HostPlan } from './plan.ts';

export interface HostSpawnOptions extends Omit<ProcessOptions, 'command' | 'args'> {}

/** A machine of the test network: a network of its own; file system, processes and cgroups are the real machine's. */
export interface TestHost extends HostPlan {
  /**
   * What to put before a command so that it runs on this host, with the host's name. Network namespaces are entered
   * without a mount namespace, so cgroups stay visible (and `/sys/class/net` shows the machine's interfaces).
   */
  readonly through: readonly string[];
  exec(command: string, args?: readonly string[], options?: CommandOptions): Promise<CommandOutput>;
  spawn(command: string, args: readonly string[], options: HostSpawnOptions): Promise<ManagedProcess>;
  /** Whether it gets an answer from an address within a second. */
  canReach(address: string): Promise<boolean>;
  /** Pulls the cable: the interface loses its carrier. */
  unplug(): Promise<void>;
  plugIn(): Promise<void>;
}

export function testHost(plan: HostPlan, switchNamespace: string): TestHost {
  const inNetwork = ['nsenter', `--net=/run/netns/${plan.namespace}`, '--'];
  const through = [
    ...inNetwork,
    'unshare',
    '--uts',
    '--',
    'sh',
    '-c',
    'hostname "$0" && exec "$@"',
    plan.name,
  ] as const;
  const [enter, ...enterArgs] = through;
  const setLink = async (state: 'up' | 'down') => {
    await runCommand('ip', ['-netns', switchNamespace, 'link', 'set', plan.switchPort, state]);
  };
  return {
    ...plan,
    through,
    exec: (command, args = [], options = {}) =>
      runCommand(inNetwork[0] as string, [...inNetwork.slice(1), command, ...args], options),
    spawn: (command, args, options) =>
      startProcess({
        name: `${plan.name}-${command}`,
        ...options,
        command: enter,
        args: [...enterArgs, command, ...args],
      }),
    async canReach(address) {
      const { code } = await runCommand(
        inNetwork[0] as string,
        [...inNetwork.slice(1), 'busybox', 'ping', '-c', '1', '-W', '1', '-q', address],
        { okCodes: [0, 1, 2] },
      );
      return code === 0;
    },
    unplug: () => setLink('down'),
    plugIn: () => setLink('up'),
  };
}
