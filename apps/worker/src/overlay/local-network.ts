import { messageOf, OakestraError } from '@oakestra/contracts';
import {
  createConntrack,
  createIp,
  createNft,
  listeningSockets,
  namespaceNameOf,
  namespacePath,
} from '@oakestra/host';
import { gatewayOf, type InstanceNetwork, type PortMapping, type PortProtocol } from '@oakestra/netplan';
import { createAddressBook } from './address-book.ts';
import { createBackground } from './background.ts';
import { bringUp, type KnownInstance } from './bring-up.ts';
import { createCableWatch } from './cable-watch.ts';
import { createConnections } from './connections.ts';
import { createFirewallWatch } from './firewall-watch.ts';
import { createGate } from './gate.ts';
import { checkOptions, type LocalNetworkOptions } from './network-options.ts';
import { type NetworkState, settingsOf } from './network-state.ts';
import { createPortBook, findProgram, type PortHolder } from './port-book.ts';
import { createPublishedPorts } from './published-ports.ts';
import { purgeNetwork } from './purge.ts';

export interface AttachRequest extends KnownInstance {
  readonly signal?: AbortSignal;
  /**
   * Called at most once, with the address, as soon as a new namespace is there: a container can be created in it while
   * it is being configured. It must not be started before the network is attached.
   */
  readonly onNamespace?: (address: string) => void;
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
  /** Was the kernel's state read and made right? */
  readonly isReady: boolean;
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
  /** Undefined before the network is ready. */
  readonly mtu: number | undefined;
  readonly instances: readonly {
    readonly instanceId: string;
    readonly address: string;
    readonly ports: readonly PortMapping[];
  }[];
  /** Namespaces that nobody knows but processes live in. */
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
  const state: NetworkState = {
    settings: undefined,
    instances: new Map(),
    strangers: new Map(),
    addresses: createAddressBook(checked.network, clock),
    ports: createPortBook(),
  };
  const gate = createGate();
  const background = createBackground(logger);
  const published = createPublishedPorts({ nft: tools.nft, settings: () => settingsOf(state), logger });
  const cables = createCableWatch({ clock, background, tools });
  const firewalls = createFirewallWatch({ clock, logger, background, gate, tools, state, published });
  const nameOf = (instanceId: string) => namespaceNameOf(checked.namePrefix, instanceId);
  const connections = createConnections({
    state,
    tools,
    published,
    cables,
    background,
    readSockets,
    nameOf,
  });
  let ready: Promise<unknown> | undefined;

  /** Without `known`: for the instances that the kernel has. */
  const adopt = async (known: readonly KnownInstance[] | undefined): Promise<ReconcileResult> => {
    const { addresses } = state;
    const up = await bringUp({ checked, mtu: options.mtu, tools, addresses, logger }, known);
    const { connected, kept, created, removed, quarantined, obstacles } = up.plan;
    state.settings = up.settings;
    remember(state, up.instances, connected);
    published.assume(connected);
    firewalls.report(obstacles);
    firewalls.start();
    if (quarantined.length > 0) {
      logger.warn('networks of unknown instances are in use; they stay', { namespaces: quarantined });
    }
    return { kept, created, removed, quarantined };
  };
  /** Remembers the state as ready until it turns out that it is not. */
  const becomeReady = <T>(work: Promise<T>): Promise<T> => {
    ready = work;
    work.catch(() => {
      if (ready === work) ready = undefined;
    });
    return work;
  };
  const ensureReady = (): Promise<unknown> => ready ?? becomeReady(gate.alone(() => adopt(undefined)));
  const repair = () =>
    gate.alone(async () => {
      const known = [...state.instances.values()].map(({ id, ports, address }) => ({
        instanceId: id,
        ports,
        address,
      }));
      const { created } = await adopt(state.settings === undefined ? undefined : known);
      if (created.length > 0) logger.error('networks of running instances were lost', { instances: created });
    });

  return {
    namespacePathOf: (instanceId) => namespacePath(nameOf(instanceId)),

    async attach({ signal, onNamespace, ...request }) {
      let isNamespaceInUse = false;
      const options = {
        signal,
        onNamespace(address: string) {
          isNamespaceInUse = onNamespace !== undefined;
          onNamespace?.(address);
        },
      };
      const attachOnce = async (): Promise<Attachment> => {
        await ensureReady();
        const { namespace, address } = await gate.shared(nameOf(request.instanceId), () =>
          connections.attach(request, options),
        );
        return { namespacePath: namespacePath(namespace), address };
      };
      try {
        return await attachOnce();
      } catch (error) {
        // Whoever works with the namespace already must not find another one in its place.
        if (signal?.aborted === true || isNamespaceInUse || !isRefusedByKernel(error)) throw error;
        logger.warn('the network of an instance could not be made; checking everything and trying again', {
          instanceId: request.instanceId,
          reason: messageOf(error),
        });
        await repair();
        return attachOnce();
      }
    },

    async detach(instanceId) {
      await ensureReady();
      await gate.shared(nameOf(instanceId), () => connections.detach(instanceId));
    },

    reconcile: (known) => becomeReady(gate.alone(() => adopt(known))),

    async portHolder(port, protocol) {
      await ensureReady();
      const owner = state.ports.ownerOf(port, protocol);
      if (owner !== undefined) return { kind: 'instance', instanceId: owner };
      return findProgram(port, protocol, readSockets);
    },

    status: () => ({
      isReady: state.settings !== undefined,
      bridge: checked.bridge,
      subnet: checked.subnet,
      gateway: gatewayOf(checked.network),
      mtu: state.settings?.mtu,
      instances: [...state.instances.values()].map(({ id, address, ports }) => ({
        instanceId: id,
        address,
        ports,
      })),
      quarantined: [...state.strangers.keys()],
      obstacles: firewalls.obstacles(),
    }),

    purge: () =>
      gate.alone(async () => {
        firewalls.stop();
        await purgeNetwork({ tools, checked });
        state.settings = undefined;
        state.addresses.reset(new Map());
        remember(state, [], []);
        published.assume([]);
        firewalls.report([]);
        ready = undefined;
      }),

    async close() {
      firewalls.stop();
      await background.stop();
    },
  };
}

function remember(
  state: NetworkState,
  instances: readonly InstanceNetwork[],
  connected: readonly InstanceNetwork[],
): void {
  state.instances.clear();
  state.strangers.clear();
  for (const instance of instances) state.instances.set(instance.namespace, instance);
  for (const instance of connected) {
    if (!state.instances.has(instance.namespace)) state.strangers.set(instance.namespace, instance);
  }
  state.ports.reset(connected);
}

function isRefusedByKernel(error: unknown): boolean {
  return error instanceof OakestraError && error.code === 'program-failed';
}
