import { SettingsError } from '@oakestra/daemon';
import type { Machine } from './tier.ts';

/** Says what is wrong with the settings, all of it, in place of a stack trace. */
export async function settingsOrComplaint<L>(
  load: () => Promise<L>,
  machine: Machine,
): Promise<L | undefined> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    machine.printError(`oakestra: ${error.message}\n`);
    return undefined;
  }
}
