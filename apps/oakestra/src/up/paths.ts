import { join } from 'node:path';

/** What `up` itself keeps in its state directory. */
export interface UpPaths {
  readonly pidFile: string;
  /** The settings of the last start, without secrets: what `down` has to know. */
  readonly settingsFile: string;
  readonly lockFile: string;
}

export function upPaths(stateDirectory: string): UpPaths {
  return {
    pidFile: join(stateDirectory, 'oakestra.pid'),
    settingsFile: join(stateDirectory, 'settings.json'),
    lockFile: join(stateDirectory, 'lock'),
  };
}
