import { join } from 'node:path';
import { lockStateDirectory, type SettingsTable } from '@oakestra/daemon';
import type { Member, RootTier } from '../root-bundle.ts';
import { type DaemonContext, ROLES } from '../tier.ts';
import { noteSettings } from './noted-settings.ts';
import { upPaths } from './paths.ts';
import { removePidFile, writePidFile } from './pid-file.ts';
import { makeStateFolder } from './state-folders.ts';
import { type Tiers, tierValues, type UpValues } from './up-settings.ts';

export interface UpContext extends DaemonContext {
  readonly tiers: Tiers & { readonly root: RootTier };
  readonly table: SettingsTable;
  readonly values: UpValues;
}

/** Adds the parts of `up`: its state, the certificates of its members, then the tiers from the top. */
export function composeUp(context: UpContext): void {
  const { tiers, values, lifecycle, logger } = context;
  lifecycle.add('state', { start: () => openState(context) });
  if (values.tiers.includes('root')) {
    lifecycle.add('certificates', {
      start: () =>
        tiers.root.issueCertificates({
          ...context,
          settings: tierValues(tiers.root, values),
          members: membersOf(tiers, values),
        }),
    });
  }
  for (const role of ROLES.filter((candidate) => values.tiers.includes(candidate))) {
    const tier = tiers[role];
    tier.compose({
      ...context,
      logger: logger.child({ component: role }),
      settings: tierValues(tier, values),
    });
  }
}

/** Makes the folders, takes the right to them, and notes who we are and what we were told. */
async function openState({ table, values }: UpContext): Promise<() => Promise<void>> {
  const { pidFile, settingsFile } = upPaths(values.stateDirectory);
  const lock = await lockStateDirectory(values.stateDirectory);
  try {
    for (const role of ROLES) makeStateFolder(String(values[`${role}StateDirectory`]));
    noteSettings(settingsFile, table, values);
    writePidFile(pidFile);
  } catch (error) {
    await lock.release();
    throw error;
  }
  return async () => {
    removePidFile(pidFile);
    await lock.release();
  };
}

/** Cluster and worker of this machine, also those that run by themselves beside this process. */
function membersOf(tiers: Tiers, values: UpValues): Member[] {
  return (['cluster', 'worker'] as const).map((role) => {
    const { name, tlsDirectory, stateDirectory } = tierValues(tiers[role], values);
    return {
      role,
      name: String(name),
      directory: String(tlsDirectory ?? join(String(stateDirectory), 'tls')),
    };
  });
}
