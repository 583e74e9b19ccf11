import { join } from 'node:path';
import { Sensitive } from '@oakestra/contracts';
import type { Clock, Logger, Random } from '@oakestra/daemon';
import { openStore, type SqliteStoreOptions, type Store } from '@oakestra/store';
import { type AddressesSchema, addressesMigrations } from './addresses/index.ts';
import { type IdempotencySchema, idempotencyMigrations } from './api/index.ts';
import { type ApplicationsSchema, applicationsMigrations } from './applications/index.ts';
import { type AuditSchema, auditMigrations } from './audit/index.ts';
import { type ClustersSchema, clustersMigrations } from './clusters/index.ts';
import { type DeploymentsSchema, deploymentsMigrations } from './deployments/index.ts';
import { type EventsSchema, eventsMigrations } from './events/index.ts';
import { type FleetSchema, fleetMigrations } from './fleet/index.ts';
import { type IdentitySchema, identityMigrations } from './identity/index.ts';
import { type LegacyClustersSchema, legacyClustersMigrations } from './legacy-clusters/index.ts';
import { type SealedObjectsSchema, sealedObjectsMigrations } from './sealed-objects/index.ts';
import type { RootSettings } from './settings.ts';

type RootSchema = AddressesSchema &
  ApplicationsSchema &
  AuditSchema &
  ClustersSchema &
  DeploymentsSchema &
  EventsSchema &
  FleetSchema &
  IdempotencySchema &
  IdentitySchema &
  LegacyClustersSchema &
  SealedObjectsSchema;

export type RootStore = Store<RootSchema>;

/** Of all rooms. */
export const rootMigrations = {
  ...addressesMigrations,
  ...applicationsMigrations,
  ...auditMigrations,
  ...clustersMigrations,
  ...deploymentsMigrations,
  ...eventsMigrations,
  ...fleetMigrations,
  ...idempotencyMigrations,
  ...identityMigrations,
  ...legacyClustersMigrations,
  ...sealedObjectsMigrations,
};

export const databasePath = ({ stateDirectory }: Pick<RootSettings, 'stateDirectory'>): string =>
  join(stateDirectory, 'root.db');

/** The one store of a root, with the tables of all rooms. */
export function openRootStore(options: {
  readonly settings: RootSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults?: Pick<SqliteStoreOptions, 'syncDelayMs'> | undefined;
}): Promise<RootStore> {
  const { settings, faults, ...parts } = options;
  const url = new Sensitive(settings.databaseUrl ?? databasePath(settings));
  return openStore<RootSchema>({ url, migrations: rootMigrations, ...parts, ...faults });
}
