/** Where a value came from, or where a wrong one stands. */
export interface SettingOrigin {
  readonly kind: 'flag' | 'environment' | 'file' | 'default' | 'unset';
  /** `--http-port`, `OAKESTRA_HTTP_PORT`, `/etc/oakestra/root.yaml:3`; empty for defaults. */
  readonly name: string;
}

export interface SettingViolation {
  /** Key of the setting, or the unknown name. */
  readonly setting: string;
  readonly origin: SettingOrigin;
  /** Completes the sentence that begins with the setting. */
  readonly reason: string;
}

/** Everything that is wrong with the settings, at once, so that nobody fixes them one restart at a time. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly kind = 'invalid';
  readonly code = 'invalid-settings';
  readonly violations: readonly SettingViolation[];

  constructor(role: string, violations: readonly SettingViolation[]) {
    const lines = violations.map(
      ({ setting, origin, reason }) => `  ${setting} ${reason} (${formatOrigin(origin)})`,
    );
    const count = violations.length === 1 ? 'a problem' : `${violations.length} problems`;
    super(`${count} with the settings of ${role}; see --help:\n${lines.join('\n')}`);
    this.violations = violations;
  }
}

/** "flag --http-port", "environment CLUSTER_NAME", "/etc/oakestra/root.yaml:3", "default", "not set". */
export function formatOrigin({ kind, name }: SettingOrigin): string {
  switch (kind) {
    case 'flag':
      return name === '' ? 'command line' : `flag ${name}`;
    case 'environment':
      return `environment ${name}`;
    case 'file':
      return name;
    case 'default':
      return 'default';
    case 'unset':
      return 'not set';
  }
}
