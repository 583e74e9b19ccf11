import { isIP } from 'node:net';
import { OakestraError, type Violation } from '@oakestra/contracts';
import type { PeerIdentity } from '../peer-identity.ts';

/** Who a certificate is for and where it can be reached. */
export interface CertificateSubject extends PeerIdentity {
  /** Where the holder has an id besides its name, the common name carries it. */
  readonly id?: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

const nameLimit = 253;
/** X.509 allows 64 characters in a common name; the longest role and the colon need 8. */
const idLimit = 56;
const dnsLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/i;
/** Control characters, and halves of characters. */
const unprintable = /[\p{Cc}\p{Cs}]/u;

/** The common name, for people who read certificates; programs read the URI. */
export function commonName({ role, id, name }: CertificateSubject): string {
  return `${role}:${Array.from(id ?? name)
    .slice(0, idLimit)
    .join('')}`;
}

function isDnsName(name: string): boolean {
  return (
    name.length <= nameLimit && isIP(name) === 0 && name.split('.').every((label) => dnsLabel.test(label))
  );
}

function violationsOf({ name, id, dnsNames, ipAddresses }: CertificateSubject): Violation[] {
  const violations: Violation[] = [];
  if (name === '' || name.length > nameLimit || unprintable.test(name)) {
    violations.push({ path: 'name', message: `must be 1 to ${nameLimit} printable characters` });
  }
  if (id !== undefined && (id === '' || id.length > idLimit || unprintable.test(id))) {
    violations.push({ path: 'id', message: `must be 1 to ${idLimit} printable characters` });
  }
  for (const [index, dnsName] of dnsNames.entries()) {
    if (!isDnsName(dnsName)) {
      violations.push({ path: `dnsNames[${index}]`, message: `"${dnsName}" is not a host name` });
    }
  }
  for (const [index, address] of ipAddresses.entries()) {
    if (isIP(address) === 0 || address.includes('%')) {
      violations.push({ path: `ipAddresses[${index}]`, message: `"${address}" is not an IP address` });
    }
  }
  return violations;
}

/** Refuses what must not get into a certificate. */
export function checkSubject(subject: CertificateSubject): void {
  const violations = violationsOf(subject);
  if (violations.length > 0) {
    const text = violations.map(({ path, message }) => `${path} ${message}`).join('; ');
    throw new OakestraError(
      'invalid',
      'certificate-subject-invalid',
      `Cannot issue a certificate: ${text}.`,
      {
        violations,
      },
    );
  }
}
