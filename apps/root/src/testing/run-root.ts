import { createLifecycle, type Lifecycle, systemClock, systemRandom } from '@oakestra/daemon';
import { recordingLogger } from '@oakestra/store/testing';
import { composeRoot, type RootContext } from '../compose.ts';
import type { RootSettings } from '../settings.ts';

export const ADMIN_PASSWORD = 'not a good one';

/** Everything on free ports of this machine. */
export function testSettings(stateDirectory: string): RootSettings {
  return {
    listen: '127.0.0.1',
    apiPort: 0,
    clusterPort: 0,
    allowLegacy: [],
    adoptLegacy: false,
    adminPassword: ADMIN_PASSWORD,
    stateDirectory,
    certificateNames: [],
    sealingKeyFile: undefined,
    legacyAdminPassword: false,
    jwtPrivateKey: undefined,
    jwtPublicKey: undefined,
    mailHost: undefined,
    mailPort: 465,
    mailSecurity: 'tls' as const,
    mailUser: undefined,
    mailPassword: undefined,
    mailFrom: undefined,
    mailLinkBase: undefined,
    corsOrigins: [],
    auxiliaryListen: '127.0.0.1',
    abstractorPort: 0,
    keyPort: 0,
    databaseUrl: undefined,
    restartGraceMs: 1000,
    peerPort: 0,
    advertise: undefined,
  };
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RunningRoot {
  readonly lifecycle: Lifecycle;
  readonly apiPort: number;
  readonly clusterPort: number;
  /** What it logged so far. */
  readonly log: readonly LogLine[];
}

/** A whole root in this process; stop its lifecycle. */
export async function runRoot(options: {
  readonly settings: RootSettings;
  readonly storeFaults?: RootContext['storeFaults'] | undefined;
}): Promise<RunningRoot> {
  const clock = systemClock();
  const log: LogLine[] = [];
  const logger = recordingLogger((line) => void log.push(line));
  const lifecycle = createLifecycle({ logger, clock });
  const { storeFaults, settings } = options;
  composeRoot({
    version: 'test',
    ...{ settings, lifecycle, logger, clock, random: systemRandom() },
    ...(storeFaults === undefined ? {} : { storeFaults }),
  });
  await lifecycle.start();
  const ready = log.find(({ message }) => message === 'root is ready')?.fields;
  return { lifecycle, log, apiPort: Number(ready?.apiPort), clusterPort: Number(ready?.clusterPort) };
}
