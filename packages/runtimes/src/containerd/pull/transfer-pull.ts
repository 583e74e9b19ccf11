import { OakestraError } from '@oakestra/contracts';
import { type Random, randomHex } from '@oakestra/daemon';
import { pinnedImageReference } from '../../images/reference.ts';
import { type Registries, registryEndpoints, settingsOf } from '../../images/registry-settings.ts';
import type { ContainerdConnection, Duplex } from '../containerd-connection.ts';
import { StreamInit, StreamingDefinition } from '../gen/containerd/streaming.gen.ts';
import { TransferDefinition } from '../gen/containerd/transfer.gen.ts';
import {
  AuthRequest,
  AuthResponse,
  AuthType,
  ImageStore,
  OCIRegistry,
  Progress,
} from '../gen/containerd/transfer-types.gen.ts';
import type { Any } from '../gen/google/protobuf/any.gen.ts';
import { ownerLabels } from './image-records.ts';
import { createProgressSum } from './pull-progress.ts';
import type { PullContext, PullRequest } from './registry-pull.ts';

export type TransferOutcome =
  | { readonly kind: 'done' }
  /** This containerd, or this registry's settings, need the other way. */
  | { readonly kind: 'not-possible' }
  | { readonly kind: 'failed'; readonly error: unknown };

const TRANSFER_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Lets containerd (from 1.7 on) pull by itself. It can be told neither certificates nor mirrors nor to do without
 * TLS, so registries that need it are left to the registry protocol; so are failures, since its errors are text
 * for people.
 */
export async function pullByTransfer(
  request: PullRequest,
  context: PullContext & { readonly registries: Registries; readonly isHostPlatform: boolean },
): Promise<TransferOutcome> {
  const { reference, root, signal } = request;
  if (!context.isHostPlatform || !isExpressible(reference.registry, context.registries)) {
    return { kind: 'not-possible' };
  }
  const own = new AbortController();
  const streams = { connection: context.connection, random: context.random, lease: context.lease.id };
  const open = (purpose: string) =>
    openStream(purpose, { ...streams, signal: AbortSignal.any([signal, own.signal]) });
  try {
    const progress = await open('progress');
    const credentials = request.credentials === undefined ? undefined : await open('credentials');
    void reportProgress(progress, request);
    if (credentials !== undefined) void answerCredentials(credentials, request, context.registries);

    const name = pinnedImageReference(reference, root.digest);
    const source = OCIRegistry.encode({
      reference: name,
      resolver: { authStream: credentials?.id ?? '' },
    }).finish();
    const { os, architecture, variant = '' } = request.platform;
    const platform = { os, architecture, variant };
    const unpacks = [{ platform, snapshotter: context.snapshotter }];
    const destination = ImageStore.encode({
      name,
      labels: ownerLabels(root.digest),
      platforms: [platform],
      unpacks,
    }).finish();
    await context.connection.unary(
      TransferDefinition,
      'transfer',
      {
        source: { typeUrl: `${TYPES}.OCIRegistry`, value: source },
        destination: { typeUrl: `${TYPES}.ImageStore`, value: destination },
        options: { progressStream: progress.id },
      },
      { lease: context.lease.id, signal, timeoutMs: TRANSFER_TIMEOUT_MS },
    );
    return { kind: 'done' };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof OakestraError && error.code === 'containerd-unsupported')
      return { kind: 'not-possible' };
    return { kind: 'failed', error };
  } finally {
    own.abort(new Error('the transfer ended'));
  }
}

/** Would containerd, which uses TLS with the authorities of this host and nothing else, reach this registry? */
export function isExpressible(registry: string, registries: Registries): boolean {
  if (settingsOf(registry, registries).caPem !== undefined) return false;
  const [first, ...others] = registryEndpoints(registry, registries);
  return others.length === 0 && first?.baseUrl.protocol === 'https:';
}

const TYPES = 'containerd.types.transfer';

interface SideStream {
  readonly id: string;
  readonly duplex: Duplex<Any, Any>;
  readonly messages: AsyncIterator<Any>;
}

async function openStream(
  purpose: string,
  options: {
    readonly connection: ContainerdConnection;
    readonly random: Random;
    readonly lease: string;
    readonly signal: AbortSignal;
  },
): Promise<SideStream> {
  const { connection, lease, signal } = options;
  const id = `oakestra-${purpose}-${randomHex(options.random, 8)}`;
  const duplex = connection.duplex(StreamingDefinition, 'stream', { lease, signal });
  const messages = duplex.responses[Symbol.asyncIterator]();
  const value = StreamInit.encode({ id }).finish();
  duplex.send({ typeUrl: 'containerd.services.streaming.v1.StreamInit', value }).catch(() => undefined);
  // The empty answer says that the stream can be referred to.
  const first = await messages.next();
  if (first.done === true) throw new Error(`containerd ended the stream of ${purpose} early`);
  return { id, duplex, messages };
}

/** Reads until the stream ends; a broken one costs the display only. */
async function reportProgress({ messages }: SideStream, { onProgress }: PullRequest): Promise<void> {
  const sum = createProgressSum('downloading', onProgress);
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { event, name, progress, total } = Progress.decode(next.value.value);
      if (total <= 0) continue;
      sum.expect(name, total);
      sum.report(name, /complete|exists/.test(event) ? total : progress);
    }
  } catch {
    // Ended by us, or the transfer itself reports what is wrong.
  }
}

/** Answers containerd's questions for credentials, as far as they concern the registry of the image. */
async function answerCredentials(
  { duplex, messages }: SideStream,
  { reference, credentials }: PullRequest,
  registries: Registries,
): Promise<void> {
  const hosts = registryEndpoints(reference.registry, registries).flatMap(({ host, baseUrl }) => [
    host,
    baseUrl.host,
  ]);
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { host } = AuthRequest.decode(next.value.value);
      const known = credentials !== undefined && hosts.includes(host) ? credentials : undefined;
      const answer = AuthResponse.encode({
        authType: known === undefined ? AuthType.NONE : AuthType.CREDENTIALS,
        username: known?.username ?? '',
        secret: known?.password.reveal() ?? '',
      }).finish();
      await duplex.send({ typeUrl: `${TYPES}.AuthResponse`, value: answer });
    }
  } catch {
    // As above.
  }
}
