import { resolve } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import { type Clock, type Logger, lockStateDirectory } from '@oakestra/daemon';
import { restoreFrom } from '@oakestra/store';
import { askRunningRoot, exportIdentity, importIdentity } from './maintenance/index.ts';
import { databasePath, rootMigrations } from './root-store.ts';
import type { RootSettings } from './settings.ts';

interface ActionContext {
  readonly settings: RootSettings;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What `oakestra root` does beside running. Each takes a file. */
export const rootActions = {
  backup: {
    operand: 'FILE',
    summary: 'Write a consistent copy of the data of the running root, users included, without its keys.',
    async run(file: string, { settings }: ActionContext): Promise<string> {
      requireEmbedded(settings, 'pg_dump');
      const path = resolve(file);
      await askRunningRoot(settings.stateDirectory, 'backup', { path });
      return `The data is in ${path}. The authority and the keys are not: see export-identity.`;
    },
  },
  restore: {
    operand: 'FILE',
    summary: 'Put a backup in the place of the data of a root that does not run.',
    async run(file: string, { settings, logger, clock }: ActionContext): Promise<string> {
      requireEmbedded(settings, 'pg_restore');
      const lock = await lockStateDirectory(settings.stateDirectory);
      const options = { migrations: rootMigrations, logger, clock };
      const { replacedPath } = await restoreFrom(resolve(file), databasePath(settings), options).finally(() =>
        lock.release(),
      );
      const kept = replacedPath === undefined ? '' : ` What was there before is in ${replacedPath}.`;
      return `Restored.${kept} The next start learns from the clusters what happened since; nothing is stopped.`;
    },
  },
  'export-identity': {
    operand: 'FILE',
    summary: 'Write the authority and the keys of this root: whoever has them can be this root.',
    async run(file: string, { settings }: ActionContext): Promise<string> {
      await exportIdentity(settings.stateDirectory, resolve(file));
      return `The identity is in ${resolve(file)}. Keep it like a password.`;
    },
  },
  'import-identity': {
    operand: 'FILE',
    summary: 'Become the root whose identity was exported, before the first start here.',
    async run(file: string, { settings }: ActionContext): Promise<string> {
      await importIdentity(resolve(file), settings.stateDirectory);
      return `${settings.stateDirectory} has the identity now.`;
    },
  },
};

function requireEmbedded({ databaseUrl }: RootSettings, tool: string): void {
  if (databaseUrl === undefined) return;
  throw new OakestraError(
    'unsupported',
    'database-external',
    `The data of this root is in PostgreSQL (database-url): use ${tool}.`,
  );
}
