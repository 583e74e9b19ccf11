import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OakestraError } from '@oakestra/contracts';
import {
  type ImageLayout,
  type PushedImage,
  pushImage,
  type RegistryAccess,
  type RegistryCredentials,
  type RegistryRequest,
  type RegistryResponse,
  registryRequest,
} from '../images/index.ts';
import { eventually, type ManagedProcess, makeScratchDirectory, startProcess } from '../processes/index.ts';
import { portInLog, registryConfig } from './config.ts';
import { writePasswordFile } from './password-file.ts';

export interface RegistryOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** Default 0: a free one. It stays the same over `stop()` and `start()`. */
  readonly port?: number;
  /** Where images are kept. Default: a temporary folder that `close()` removes. */
  readonly storageDirectory?: string;
  /** Paths of the PEM files of its identity; without them plain HTTP. */
  readonly tls?: { readonly caFile: string; readonly certificateFile: string; readonly keyFile: string };
  /** Then nobody else may pull or push. */
  readonly credentials?: RegistryCredentials;
  /** Default 15,000. */
  readonly startTimeoutMs?: number;
}

export interface Registry {
  /** `127.0.0.1:12345`: the first part of the references of its images. */
  readonly host: string;
  readonly access: RegistryAccess;
  readonly logFile: string;
  /** Pid of the running process; undefined while stopped. */
  pid(): number | undefined;
  push(layout: ImageLayout, name: string, tag?: string): Promise<PushedImage>;
  request(request: RegistryRequest): Promise<RegistryResponse>;
  /** Takes the registry down; its content and its port stay for `start()`. Idempotent. */
  stop(): Promise<void>;
  /** Brings it back on the same port. Does nothing while it runs. */
  start(): Promise<void>;
  /** Stops it and removes its files (a given `storageDirectory` stays). Idempotent. */
  close(): Promise<void>;
}

/** Starts Debian's docker-registry and waits until it answers. Fails with `port-taken` when it cannot listen. */
export async function startRegistry({
  address = '127.0.0.1',
  port = 0,
  storageDirectory,
  tls,
  credentials,
  startTimeoutMs = 15_000,
}: RegistryOptions = {}): Promise<Registry> {
  const directory = await makeScratchDirectory();
  const storage = storageDirectory ?? join(directory, 'storage');
  const logFile = join(directory, 'registry.log');
  const configFile = join(directory, 'config.yml');
  const htpasswdFile = join(directory, 'htpasswd');
  const httpSecret = randomBytes(16).toString('hex');
  let server: ManagedProcess | undefined;

  const writeConfig = (chosenPort: number) =>
    writeFile(
      configFile,
      registryConfig({
        storageDirectory: storage,
        address,
        port: chosenPort,
        httpSecret,
        ...(tls && { tls }),
        ...(credentials && { htpasswdFile }),
      }),
      { mode: 0o600 },
    );
  const launch = async () => {
    server = await startProcess({
      name: 'registry',
      command: 'docker-registry',
      args: ['serve', configFile],
      logFile,
    });
    const started = server;
    return started
      .waitForLine(/listening on/, { timeoutMs: startTimeoutMs })
      .catch(async (cause: unknown) => {
        if (!(await started.output()).includes('address already in use')) throw cause;
        throw new OakestraError(
          'conflict',
          'port-taken',
          `The registry cannot listen on ${address}:${port}: another program does. Stop that one or choose another port.`,
          { cause },
        );
      });
  };
  const close = async () => {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  };

  try {
    await mkdir(storage, { recursive: true });
    if (credentials) await writePasswordFile(htpasswdFile, credentials);
    await writeConfig(port);
    const line = await launch();
    const chosenPort = portInLog(line);
    if (chosenPort === undefined) {
      throw new OakestraError(
        'internal',
        'registry-not-started',
        `The registry does not say its port: ${line}`,
      );
    }
    await writeConfig(chosenPort);
    const host = `${address}:${chosenPort}`;
    const access: RegistryAccess = {
      url: `${tls ? 'https' : 'http'}://${host}`,
      ...(credentials && { credentials }),
      ...(tls && { ca: await readFile(tls.caFile, 'utf8') }),
    };
    await untilAnswers(access, startTimeoutMs);
    return {
      host,
      access,
      logFile,
      pid: () => (server?.isRunning() ? server.pid : undefined),
      push: (layout, name, tag = 'latest') => pushImage(layout, { ...access, name, tag }),
      request: (request) => registryRequest(access, request),
      async stop() {
        await server?.stop();
      },
      async start() {
        if (server?.isRunning()) return;
        await launch();
        await untilAnswers(access, startTimeoutMs);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function untilAnswers(access: RegistryAccess, timeoutMs: number): Promise<void> {
  await eventually(
    async () => {
      const { status } = await registryRequest(access, { method: 'GET', target: '/v2/', timeoutMs: 2_000 });
      if (status !== 200) throw new Error(`HTTP ${status}`);
      return true;
    },
    { timeoutMs, describe: `the registry at ${access.url} to answer` },
  );
}
