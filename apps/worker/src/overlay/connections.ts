import { access } from 'node:fs/promises';
import { hostInterfaceNameOf, namespacePath } from '@oakestra/host';
import {
  connectSteps,
  disconnectSteps,
  flushAfterWithdrawing,
  flushBeforePublishing,
  formatPortMappings,
  type InstanceNetwork,
  type NetworkStep,
} from '@oakestra/netplan';
import type { Background } from './background.ts';
import type { KnownInstance } from './bring-up.ts';
import type { CableWatch } from './cable-watch.ts';
import { executeSteps, type NetworkTools } from './execute-steps.ts';
import { type NetworkState, settingsOf } from './network-state.ts';
import { type ReadSockets, requireNoProgram } from './port-book.ts';
import type { PublishedPorts } from './published-ports.ts';
import { createTurns } from './turns.ts';

/** The kernel changes one thing at a time anyway; more processes would only push other work aside. */
const PROGRAMS_AT_A_TIME = 4;

export interface ConnectionsOptions {
  readonly state: NetworkState;
  readonly tools: NetworkTools;
  readonly published: PublishedPorts;
  readonly cables: CableWatch;
  readonly background: Background;
  readonly readSockets: ReadSockets;
  readonly nameOf: (instanceId: string) => string;
}

export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the address when a new namespace is there, before it is configured. */
  readonly onNamespace?: ((address: string) => void) | undefined;
}

/** Connects single instances. The caller sees to it that nothing else happens to the same instance meanwhile. */
export interface Connections {
  attach(request: KnownInstance, options: ConnectOptions): Promise<InstanceNetwork>;
  detach(instanceId: string): Promise<void>;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { state, tools, published, cables, background, readSockets, nameOf } = options;
  const { instances, strangers, addresses, ports } = state;
  const turns = createTurns(PROGRAMS_AT_A_TIME);

  const flush = (steps: readonly NetworkStep[]) => {
    if (steps.length === 0) return;
    background.start('forgetting old connections', (signal) => executeSteps(steps, tools, signal));
  };

  /** Makes what one instance needs; on failure takes back what was made. */
  const connect = async (
    instance: InstanceNetwork,
    { signal, onNamespace }: ConnectOptions,
  ): Promise<void> => {
    const { namespace, hostInterface, address } = instance;
    const steps = [...cables.stepsBefore(hostInterface), ...connectSteps(settingsOf(state), instance)];
    const inside = steps.findIndex(({ kind }) => kind === 'configure-namespace');
    const execute = async () => {
      await executeSteps(steps.slice(0, inside), tools, signal);
      onNamespace?.(address);
      await executeSteps(steps.slice(inside), tools, signal);
    };
    const failure = await firstFailure([turns(execute), published.publish(instance)]);
    if (failure === undefined) return;
    const undo: NetworkStep[] = [
      { kind: 'delete-interface', name: hostInterface },
      { kind: 'delete-namespace', namespace },
    ];
    await firstFailure([published.withdraw(namespace), executeSteps(undo, tools)]);
    throw failure.reason;
  };

  const changePorts = async (current: InstanceNetwork, request: KnownInstance): Promise<InstanceNetwork> => {
    if (formatPortMappings(current.ports) === formatPortMappings(request.ports)) return current;
    const added = request.ports.filter(
      ({ hostPort, protocol }) =>
        !current.ports.some((port) => port.hostPort === hostPort && port.protocol === protocol),
    );
    ports.reserve(current.id, request.ports);
    try {
      await requireNoProgram(added, readSockets);
      const changed = { ...current, ports: request.ports };
      await published.publish(changed);
      return changed;
    } catch (error) {
      ports.reserve(current.id, current.ports);
      throw error;
    }
  };

  const create = async (request: KnownInstance, options: ConnectOptions): Promise<InstanceNetwork> => {
    const { instanceId } = request;
    const namespace = nameOf(instanceId);
    ports.reserve(instanceId, request.ports);
    try {
      await requireNoProgram(request.ports, readSockets);
      const instance: InstanceNetwork = {
        id: instanceId,
        namespace,
        hostInterface: hostInterfaceNameOf(instanceId),
        address: addresses.take(namespace, request.address),
        ports: request.ports,
      };
      await connect(instance, options);
      flush(flushBeforePublishing(instance));
      return instance;
    } catch (error) {
      ports.release(instanceId);
      addresses.release(namespace);
      throw error;
    }
  };

  return {
    async attach(request, options) {
      options.signal?.throwIfAborted();
      const namespace = nameOf(request.instanceId);
      const current = instances.get(namespace) ?? strangers.get(namespace);
      const instance =
        current === undefined
          ? await create(request, options)
          : await changePorts({ ...current, id: request.instanceId }, request);
      strangers.delete(namespace);
      instances.set(namespace, instance);
      return instance;
    },

    async detach(instanceId) {
      const namespace = nameOf(instanceId);
      const instance = instances.get(namespace) ?? strangers.get(namespace);
      const isThere = await exists(namespacePath(namespace));
      const failure = await firstFailure([
        published.withdraw(namespace),
        isThere ? turns(() => executeSteps(disconnectSteps({ namespace }), tools)) : undefined,
      ]);
      if (failure !== undefined) throw failure.reason;
      instances.delete(namespace);
      strangers.delete(namespace);
      ports.release(instance?.id ?? instanceId);
      addresses.release(namespace);
      if (instance === undefined) return;
      cables.expectGone(instance.hostInterface);
      flush(flushAfterWithdrawing(instance));
    },
  };
}

/** Waits for all, also when one fails. */
async function firstFailure(
  work: readonly (Promise<unknown> | undefined)[],
): Promise<PromiseRejectedResult | undefined> {
  const results = await Promise.allSettled(work);
  return results.find((result) => result.status === 'rejected');
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
