import { OakestraError, type ServiceDocument, type Violation } from '@oakestra/contracts';
import type { Deployments } from '../deployments/index.ts';
import type { PlannedService } from './submission.ts';

type KnownServices = Pick<Deployments, 'serviceByJobName' | 'services'>;

/** Full names and wished addresses that other services have already (Q22, Q23, Q27). */
export function serviceConflicts(planned: readonly PlannedService[], known: KnownServices): Violation[] {
  const taken = planned.flatMap(({ path, document }) => {
    const other = known.serviceByJobName(document.job_name);
    if (other === undefined) return [];
    const message = `there is a service ${document.job_name} already (${other.id}); choose another name or delete that one`;
    return [{ path: `${path}.microservice_name`, message }];
  });
  return [...taken, ...addressConflicts(planned, known)];
}

function addressConflicts(planned: readonly PlannedService[], known: KnownServices): Violation[] {
  if (planned.every(({ document }) => addressesOf(document).length === 0)) return [];
  const nameByAddress = new Map<string, string>();
  for (const { document } of known.services()) {
    for (const [, address] of addressesOf(document)) nameByAddress.set(address, document.job_name);
  }
  const violations: Violation[] = [];
  for (const { path, document } of planned) {
    for (const [field, address] of addressesOf(document)) {
      const holder = nameByAddress.get(address);
      if (holder !== undefined) {
        const message = `the address ${address} belongs to ${holder}; choose another one or none`;
        violations.push({ path: `${path}.addresses.${field}`, message });
      }
      nameByAddress.set(address, document.job_name);
    }
  }
  return violations;
}

function addressesOf(document: ServiceDocument): [string, string][] {
  const { RR_ip: v4, RR_ip_v6: v6 } = document;
  const found: [string, string][] = [];
  if (typeof v4 === 'string') found.push(['rr_ip', v4]);
  if (typeof v6 === 'string') found.push(['rr_ip_v6', v6.toLowerCase()]);
  return found;
}

/** One error for all conflicts of a submission. `code` tells what the first one is about. */
export function conflictError(code: string, violations: readonly Violation[]): OakestraError {
  const [first, ...others] = violations;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const message = `Nothing was created: ${first?.message}${more}.`;
  return new OakestraError('conflict', code, message, { violations });
}
