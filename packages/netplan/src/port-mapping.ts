import { OakestraError } from '@oakestra/contracts';
import {
  type PortMapping,
  type PortProtocol,
  portKey,
  readPortMappings,
} from '@oakestra/contracts/port-mapping';

/** Two owners that want the same port of one host. */
export interface PortConflict {
  readonly hostPort: number;
  readonly protocol: PortProtocol;
  readonly owners: readonly [string, string];
}

/** The ports that a service publishes. Throws `invalid-port-mapping` with one violation for each wrong part. */
export function parsePortMappings(text: string, path = 'port'): readonly PortMapping[] {
  const { mappings, faults } = readPortMappings(text);
  if (faults.length === 0) return mappings;
  const violations = faults.map((message) => ({ path, message }));
  throw new OakestraError('invalid', 'invalid-port-mapping', `${path}: ${faults.join('; ')}`, { violations });
}

/** The text that parses to `mappings`, each part written out in full. */
export function formatPortMappings(mappings: readonly PortMapping[]): string {
  return mappings.map((m) => `${m.hostPort}:${m.containerPort}/${m.protocol}`).join(';');
}

/** Every port that a later owner wants although an earlier one has it. */
export function findPortConflicts(
  owners: readonly { readonly id: string; readonly ports: readonly PortMapping[] }[],
): PortConflict[] {
  const holders = new Map<string, string>();
  const conflicts: PortConflict[] = [];
  for (const owner of owners) {
    for (const { hostPort, protocol } of owner.ports) {
      const key = portKey({ hostPort, protocol });
      const holder = holders.get(key);
      if (holder === undefined) holders.set(key, owner.id);
      else conflicts.push({ hostPort, protocol, owners: [holder, owner.id] });
    }
  }
  return conflicts;
}
