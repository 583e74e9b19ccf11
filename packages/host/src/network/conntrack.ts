import { isMissingProgram } from '../missing-program.ts';
import { type Run, run } from '../run.ts';

/** Which tracked connections to forget. */
export type TrackedConnections =
  /** Those whose answers come from this address: translated connections to an instance, and its own. */
  | { readonly answeredBy: string }
  /** Those that were sent to this port. */
  | { readonly protocol: 'tcp' | 'udp'; readonly toPort: number };

export interface Conntrack {
  /** Forgets the connections; false when the tool for it is not installed. */
  forget(connections: TrackedConnections, signal?: AbortSignal): Promise<boolean>;
}

/** Works through the `conntrack` tool, which is optional; its absence is found out once. */
export function createConntrack(runProgram: Run = run): Conntrack {
  let isInstalled = true;
  return {
    async forget(connections, signal) {
      if (!isInstalled) return false;
      const filter =
        'answeredBy' in connections
          ? ['--reply-src', connections.answeredBy]
          : ['--proto', connections.protocol, '--orig-port-dst', String(connections.toPort)];
      try {
        // Ends with 1 when there was nothing to delete.
        await runProgram('conntrack', ['--delete', '--family', 'ipv4', ...filter], {
          acceptedExitCodes: [0, 1],
          ...(signal === undefined ? {} : { signal }),
        });
        return true;
      } catch (error) {
        if (!isMissingProgram(error)) throw error;
        isInstalled = false;
        return false;
      }
    },
  };
}
