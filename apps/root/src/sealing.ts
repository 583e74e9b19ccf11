import { join } from 'node:path';
import { systemDisk } from '@oakestra/daemon';
import { createSealer, openSealingKeys, type Sealer } from '@oakestra/pki';
import { type Identity, isRootOrganisation } from './identity/index.ts';
import { openSealedObjects, type SealedObjects } from './sealed-objects/index.ts';
import type { RootSettings } from './settings.ts';

type Options = Omit<Parameters<typeof openSealedObjects>[0], 'sealer' | 'isShared'> & {
  readonly settings: Pick<RootSettings, 'stateDirectory' | 'sealingKeyFile'>;
  readonly identity: Pick<Identity, 'organisations'>;
};

/** With the keys of the file that the settings name; the first start makes them. */
export async function openSealer(
  settings: Pick<RootSettings, 'stateDirectory' | 'sealingKeyFile'>,
): Promise<Sealer> {
  const path = settings.sealingKeyFile ?? join(settings.stateDirectory, 'sealing-keys');
  return createSealer(await openSealingKeys(systemDisk(), path));
}

/** Secrets and configs, with the keys of the file that the settings name. */
export async function openSealing({ settings, identity, ...parts }: Options): Promise<SealedObjects> {
  return openSealedObjects({
    ...parts,
    sealer: await openSealer(settings),
    async isShared(organisationId) {
      const organisations = await identity.organisations.all();
      return organisations.some(({ id, name }) => id === organisationId && !isRootOrganisation(name));
    },
  });
}
