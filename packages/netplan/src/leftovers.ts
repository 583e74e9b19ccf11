import { portKey } from '@oakestra/contracts/port-mapping';
import { disconnectSteps } from './instance-steps.ts';
import type { InstanceNetwork } from './settings.ts';
import type { CurrentInterface, CurrentNetwork } from './snapshot.ts';
import type { NetworkStep } from './steps.ts';

/** What the kernel has of ours that nobody wants. */
export interface Leftovers {
  /** Removes what no process uses. */
  readonly steps: readonly NetworkStep[];
  readonly removed: readonly string[];
  readonly quarantined: readonly string[];
  /** Where connections of those that are gone still lead. */
  readonly addresses: readonly string[];
}

/** Tells what can go from what is in use by somebody unknown. */
export function findLeftovers(current: CurrentNetwork, instances: readonly InstanceNetwork[]): Leftovers {
  const known = new Set(instances.map(({ namespace }) => namespace));
  const knownCables = new Set(instances.map(({ hostInterface }) => hostInterface));
  const unknown = current.namespaces.filter(({ name }) => !known.has(name));
  const quarantined = unknown.filter(({ isInUse }) => isInUse).map(({ name }) => name);
  const removed = unknown.filter(({ isInUse }) => !isInUse).map(({ name }) => name);
  const cables = current.interfaces.filter(
    ({ name, label }) => !knownCables.has(name) && !quarantined.includes(label?.namespace ?? ''),
  );
  const published = current.published ?? [];
  const stays = new Set([
    ...instances.map(({ address }) => address),
    ...quarantined.flatMap((name) => asInstance(current, name)).map(({ address }) => address),
  ]);
  const gone = published.map(({ address }) => address).filter((address) => !stays.has(address));
  return {
    steps: [
      ...cables.map(({ name }): NetworkStep => ({ kind: 'delete-interface', name })),
      ...removed.flatMap((namespace) => disconnectSteps({ namespace })),
    ],
    removed,
    quarantined,
    addresses: [...new Set(gone)],
  };
}

/** Traffic of strangers goes on, except on ports that somebody we know has now. */
export function withStrangers(known: readonly InstanceNetwork[], strangers: readonly InstanceNetwork[]) {
  const taken = new Set(known.flatMap(({ ports }) => ports.map(portKey)));
  return [
    ...known,
    ...strangers.map((stranger) => ({
      ...stranger,
      ports: stranger.ports.filter((port) => !taken.has(portKey(port))),
    })),
  ];
}

/** An instance as the kernel remembers it: its cable's label and the ports that lead to it. */
export function asInstance(current: CurrentNetwork, namespace: string): InstanceNetwork[] {
  return current.interfaces
    .filter((cable): cable is CurrentInterface & Required<Pick<CurrentInterface, 'label'>> => {
      return cable.label?.namespace === namespace;
    })
    .map(({ name, label }) => ({
      id: label.instanceId,
      namespace,
      hostInterface: name,
      address: label.address,
      ports: (current.published ?? []).filter(({ address }) => address === label.address),
    }));
}
