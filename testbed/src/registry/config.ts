/** Pure parts of running Debian's docker-registry. */

export interface RegistryConfigOptions {
  readonly storageDirectory: string;
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Signs the state of uploads; any random text. */
  readonly httpSecret: string;
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  readonly htpasswdFile?: string;
}

/** The text of its configuration file: JSON, which is YAML too. */
export function registryConfig(options: RegistryConfigOptions): string {
  return JSON.stringify(
    {
      version: '0.1',
      log: { level: 'info', formatter: 'text', accesslog: { disabled: false } },
      storage: {
        filesystem: { rootdirectory: options.storageDirectory },
        delete: { enabled: true },
        maintenance: { uploadpurging: { enabled: false } },
      },
      http: {
        addr: `${options.address}:${options.port}`,
        secret: options.httpSecret,
        ...(options.tls && { tls: { certificate: options.tls.certificateFile, key: options.tls.keyFile } }),
      },
      ...(options.htpasswdFile !== undefined && {
        auth: { htpasswd: { realm: 'testbed', path: options.htpasswdFile } },
      }),
    },
    undefined,
    2,
  );
}

/** The port from the line in which the registry says where it listens. */
export function portInLog(line: string): number | undefined {
  const port = /listening on \S*:(\d+)/.exec(line)?.[1];
  return port === undefined ? undefined : Number(port);
}
