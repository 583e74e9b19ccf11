import type { Clock, Logger, Random } from '@oakestra/daemon';
import { ensureIdentity } from '@oakestra/pki/authority';
import {
  composeRoot,
  openRootCertificates,
  type RootSettings,
  rootActions,
  rootSettings,
} from '@oakestra/root';
import { runTier } from './run-tier.ts';
import type { Machine, Tier } from './tier.ts';
import { version } from './version.ts';

/** A daemon on the machine of the root that needs a certificate. */
export interface Member {
  readonly role: 'cluster' | 'worker';
  readonly name: string;
  /** Gets `ca.pem`, `cert.pem` and `key.pem`. */
  readonly directory: string;
}

export interface RootTier extends Tier<typeof rootSettings> {
  /** Issues, by the authority of this root, the certificates that are missing or about to end. */
  issueCertificates(options: {
    readonly settings: RootSettings;
    readonly members: readonly Member[];
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  }): Promise<void>;
}

const YEAR_MS = 365 * 24 * 3600 * 1000;

export const tier: RootTier = {
  role: 'root',
  summary:
    'The root knows users, applications and clusters, serves the API, and hands instances to the clusters that join it.',
  settings: rootSettings,
  actions: rootActions,
  compose: (context) => composeRoot({ ...context, version }),
  async issueCertificates({ settings, members, clock, random, logger }) {
    const { stateDirectory, certificateNames: furtherNames } = settings;
    const { authority } = await openRootCertificates({ stateDirectory, furtherNames, clock, random, logger });
    for (const member of members) {
      // Peers check the role and the name of the holder, not its address.
      const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] };
      await ensureIdentity({ authority, ...member, ...names, lifetimeMs: YEAR_MS, clock, logger });
    }
  },
};

export const run = (argv: readonly string[], machine: Machine): Promise<number> =>
  runTier(tier, argv, machine);
