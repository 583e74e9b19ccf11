import { access } from 'node:fs/promises';
import { messageOf, OakestraError } from '@oakestra/contracts';
import type { CancelTimer } from '@oakestra/daemon';
import {
  createConntrack,
  createIp,
  createNft,
  hostInterfaceNameOf,
  listeningSockets,
  namespaceNameOf,
  namespacePath,
} from '@oakestra/host';
import {
  connectSteps,
  disconnectSteps,
  flushAfterWithdrawing,
  flushBeforePublishing,
  formatPortMappings,
  gatewayOf,
  type InstanceNetwork,
  type NetworkSettings,
  type NetworkStep,
  type PortMapping,
  type PortProtocol,
  planFirewalls,
} from '@oakestra/netplan';
import { createAddressBook } from './address-book.ts';
import { createBackground } from './background.ts';
import { type BringUpOptions, bringUp, type KnownInstance } from './bring-up.ts';
import { createCableWatch } from './cable-watch.ts';
import { executeSteps } from './execute-steps.ts';
import { createGate } from './gate.ts';
import { checkOptions, type LocalNetworkOptions } from './network-options.ts';
import { createPortBook, findProgram, type PortHolder, requireNoProgram } from './port-book.ts';
import { createPublishedPorts } from './published-ports.ts';
import { purgeNetwork } from './purge.ts';
import { readForeignChains } from './read-kernel.ts';
import { createTurns } from './turns.ts';

/** How often it is checked that our rules still stand and that no new firewall drops our traffic. */
const WATCH_EVERY_MS = 30_000;

/** The kernel changes one thing at a time anyway; more processes would only push other work aside. */
const PROGRAMS_AT_A_TIME = 4;

export interface AttachRequest extends KnownInstance {
  readonly signal?: AbortSignal;
}

export interface Attachment {
  /** For the runtime: `/run/netns/…`. */
  readonly namespacePath: string;
  readonly address: string;
}

export interface ReconcileResult {
  /** Instances whose network was not touched. */
  readonly kept: readonly string[];
  /** Instances whose network was made anew: a process that still ran in the old one has to be restarted. */
  readonly created: readonly string[];
  /** Namespaces that nobody knew or used. */
  readonly removed: readonly string[];
  /** Namespaces that nobody knew but processes live in: kept. */
  readonly quarantined: readonly string[];
}

export interface NetworkStatus {
  readonly isReady: boolean;
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly mtu: number | undefined;
  readonly instances: readonly {
    readonly instanceId: string;
    readonly address: string;
    readonly ports: readonly PortMapping[];
  }[];
  readonly quarantined: readonly string[];
  /** For people: what keeps traffic from passing, with the command that helps. */
  readonly obstacles: readonly string[];
}

/** The bridge of this host with its instances. All operations can be repeated and may overlap. */
export interface LocalNetwork {
  /** Where the namespace of an instance is or will be; lets its container be created meanwhile. */
  namespacePathOf(instanceId: string): string;
  /**
   * Makes namespace, cable, address and published ports of an instance; changes the ports of one that is attached
   * already. Fails with `port-taken`, `addresses-exhausted`, or what the kernel refused; nothing is left then.
   */
  attach(request: AttachRequest): Promise<Attachment>;
  /** Removes them; of an instance that has none, nothing. Its processes should have ended before. */
  detach(instanceId: string): Promise<void>;
  /**
   * Makes the kernel's state right for exactly these instances, after a start or a crash: what is right stays
   * untouched, what is missing is made, what is left over is removed unless a process lives in it.
   */
  reconcile(known: readonly KnownInstance[]): Promise<ReconcileResult>;
  /** Who has the port: an instance, or a program of the host; undefined when it is free. */
  portHolder(port: number, protocol: PortProtocol): Promise<PortHolder | undefined>;
  status(): NetworkStatus;
  /** Removes bridge, rules, namespaces and cables, also of instances that still run. */
  purge(): Promise<void>;
  /** Stops watching. The network itself stays as it is. */
  close(): Promise<void>;
}

/**
 * The network of the instances on one host. Keeps nothing on disk: what it needs after a restart it reads back from
 * the kernel. Touches nothing before it is used.
 */
export function createLocalNetwork(options: LocalNetworkOptions): LocalNetwork {
  const { clock, logger, readSockets = listeningSockets } = options;
  const checked = checkOptions(options);
  const tools = options.tools ?? { ip: createIp(), nft: createNft(), conntrack: createConntrack() };
  const addresses = createAddressBook(checked.network, clock);
  const ports = createPortBook();
  const gate = createGate();
  const turns = createTurns(PROGRAMS_AT_A_TIME);
  const background = createBackground(logger);
  const cables = createCableWatch({ clock, background, tools });
  const published = createPublishedPorts({ nft: tools.nft, settings: () => requireSettings(), logger });

  /** By namespace. */
  const instances = new Map<string, InstanceNetwork>();
  const strangers = new Map<string, InstanceNetwork>();
  let settings: NetworkSettings | undefined;
  let obstacles: readonly string[] = [];
  let ready: Promise<unknown> | undefined;
  let cancelWatch: CancelTimer = () => {};
  let isClosed = false;

  const nameOf = (instanceId: string) => namespaceNameOf(checked.namePrefix, instanceId);
  const requireSettings = (): NetworkSettings => {
    if (settings !== undefined) return settings;
    throw new OakestraError('unavailable', 'network-not-ready', 'the network of this host was removed');
  };

  const adopt = async (known: readonly KnownInstance[] | undefined): Promise<ReconcileResult> => {
    const bringUpOptions: BringUpOptions = { checked, mtu: options.mtu, tools, addresses, logger };
    const up = await bringUp(bringUpOptions, known);
    settings = up.settings;
    instances.clear();
    strangers.clear();
    for (const instance of up.instances) instances.set(instance.namespace, instance);
    for (const instance of up.plan.connected) {
      if (!instances.has(instance.namespace)) strangers.set(instance.namespace, instance);
    }
    ports.reset(up.plan.connected);
    published.assume(up.plan.connected);
    reportObstacles(up.plan.obstacles);
    startWatch();
    return up.plan;
  };
  const repair = () =>
    gate.alone(() => {
      const known = [...instances.values()].map(({ id, ...rest }) => ({ instanceId: id, ...rest }));
      return adopt(settings === undefined ? undefined : known);
    });
  const ensureReady = (): Promise<unknown> => {
    ready ??= gate.alone(() => adopt(undefined));
    const mine = ready;
    mine.catch(() => {
      if (ready === mine) ready = undefined;
    });
    return mine;
  };

  const reportObstacles = (found: readonly string[]) => {
    for (const obstacle of found) {
      if (!obstacles.includes(obstacle)) logger.warn('traffic of instances is blocked', { obstacle });
    }
    obstacles = found;
  };
  const checkFirewalls = async () => {
    const now = requireSettings();
    const chains = await tools.nft.chains();
    if (!chains.some(({ family, table }) => family === 'ip' && table === now.table)) {
      logger.warn('somebody removed our rules; writing them anew', { table: now.table });
      await published.rewrite();
    }
    const plan = planFirewalls(now, await readForeignChains(tools, now, chains));
    for (const step of plan.steps) {
      if (step.kind === 'accept-in-foreign-chain') logger.info(step.reason, { ...step.target });
    }
    await executeSteps(plan.steps, tools);
    reportObstacles(plan.obstacles);
  };
  const startWatch = () => {
    cancelWatch();
    if (isClosed) return;
    cancelWatch = clock.setTimer(WATCH_EVERY_MS, () => {
      background.start('checking the firewall', () => gate.shared('firewalls', checkFirewalls));
      startWatch();
    });
  };

  const attachmentOf = ({ namespace, address }: InstanceNetwork): Attachment => ({
    namespacePath: namespacePath(namespace),
    address,
  });
  const flush = (steps: readonly NetworkStep[]) => {
    if (steps.length === 0) return;
    background.start('forgetting old connections', (signal) => executeSteps(steps, tools, signal));
  };

  /** Makes what one instance needs; on failure takes back what was made. */
  const connect = async (instance: InstanceNetwork, signal: AbortSignal | undefined): Promise<void> => {
    const { namespace, hostInterface } = instance;
    const steps = [...cables.stepsBefore(hostInterface), ...connectSteps(requireSettings(), instance)];
    const results = await Promise.allSettled([
      turns(() => executeSteps(steps, tools, signal)),
      instance.ports.length > 0 ? published.publish(instance) : undefined,
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    await Promise.allSettled([
      published.withdraw(namespace),
      executeSteps(
        [
          { kind: 'delete-interface', name: hostInterface },
          { kind: 'delete-namespace', namespace },
        ],
        tools,
      ),
    ]);
    throw failed.reason;
  };

  const changePorts = async (current: InstanceNetwork, request: AttachRequest): Promise<InstanceNetwork> => {
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

  const attachOnce = async (request: AttachRequest): Promise<Attachment> => {
    const { instanceId, signal } = request;
    const namespace = nameOf(instanceId);
    signal?.throwIfAborted();
    const current = instances.get(namespace) ?? strangers.get(namespace);
    if (current !== undefined) {
      const changed = await changePorts({ ...current, id: instanceId }, request);
      strangers.delete(namespace);
      instances.set(namespace, changed);
      return attachmentOf(changed);
    }
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
      await connect(instance, signal);
      instances.set(namespace, instance);
      flush(flushBeforePublishing(instance));
      return attachmentOf(instance);
    } catch (error) {
      ports.release(instanceId);
      addresses.release(namespace);
      throw error;
    }
  };

  const detachOnce = async (instanceId: string): Promise<void> => {
    const namespace = nameOf(instanceId);
    const instance = instances.get(namespace) ?? strangers.get(namespace);
    const isThere = await exists(namespacePath(namespace));
    const results = await Promise.allSettled([
      published.withdraw(namespace),
      isThere ? turns(() => executeSteps(disconnectSteps({ namespace }), tools)) : undefined,
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    instances.delete(namespace);
    strangers.delete(namespace);
    ports.release(instance?.id ?? instanceId);
    addresses.release(namespace);
    if (instance === undefined) return;
    cables.expectGone(instance.hostInterface);
    flush(flushAfterWithdrawing(instance));
  };

  return {
    namespacePathOf: (instanceId) => namespacePath(nameOf(instanceId)),

    async attach(request) {
      await ensureReady();
      const key = nameOf(request.instanceId);
      try {
        return await gate.shared(key, () => attachOnce(request));
      } catch (error) {
        if (request.signal?.aborted === true || !isRefusedByKernel(error)) throw error;
        logger.warn('the network of an instance could not be made; checking everything and trying again', {
          instanceId: request.instanceId,
          reason: messageOf(error),
        });
        await repair();
        return gate.shared(key, () => attachOnce(request));
      }
    },

    async detach(instanceId) {
      await ensureReady();
      await gate.shared(nameOf(instanceId), () => detachOnce(instanceId));
    },

    reconcile(known) {
      const result = gate.alone(() => adopt(known));
      ready = result;
      result.catch(() => {
        if (ready === result) ready = undefined;
      });
      return result.then(({ kept, created, removed, quarantined }) => ({
        kept,
        created,
        removed,
        quarantined,
      }));
    },

    async portHolder(port, protocol) {
      const owner = ports.ownerOf(port, protocol);
      if (owner !== undefined) return { kind: 'instance', instanceId: owner };
      return findProgram(port, protocol, readSockets);
    },

    status: () => ({
      isReady: settings !== undefined,
      bridge: checked.bridge,
      subnet: checked.subnet,
      gateway: gatewayOf(checked.network),
      mtu: settings?.mtu,
      instances: [...instances.values()].map(({ id, address, ports: published }) => ({
        instanceId: id,
        address,
        ports: published,
      })),
      quarantined: [...strangers.keys()],
      obstacles,
    }),

    purge: () =>
      gate.alone(async () => {
        cancelWatch();
        await purgeNetwork({ tools, checked });
        instances.clear();
        strangers.clear();
        addresses.reset(new Map());
        ports.reset([]);
        published.assume([]);
        settings = undefined;
        ready = undefined;
        obstacles = [];
      }),

    async close() {
      isClosed = true;
      cancelWatch();
      await background.stop();
    },
  };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function isRefusedByKernel(error: unknown): boolean {
  return error instanceof OakestraError && error.code === 'program-failed';
}
