import type { CancelTimer, Clock, Logger, Random } from '@oakestra/daemon';
import { DeadlineError, withDeadline } from '@oakestra/daemon';
import type { Descriptor } from '../../images/manifest.ts';
import { familiarImageReference, formatImageReference, type ImageReference } from '../../images/reference.ts';
import { createRegistryClient, isUnreachable, type RegistryClient } from '../../images/registry-client.ts';
import type { Registries, RegistryCredentials } from '../../images/registry-settings.ts';
import type { ImageRecords } from './image-records.ts';

interface ResolvedReference {
  readonly root: Descriptor;
  /** The registry could not be asked: this is what the tag meant when it was pulled last. */
  readonly isStale: boolean;
  /** What containerd has under the tag. */
  readonly localDigest: string | undefined;
}

interface ResolveRequest {
  readonly reference: ImageReference;
  readonly credentials: RegistryCredentials | undefined;
  readonly signal: AbortSignal;
}

/** Finds the digest that a reference means now. */
export interface TagResolver {
  resolve(request: ResolveRequest): Promise<ResolvedReference>;
  close(): void;
}

export interface TagResolverOptions {
  readonly records: Pick<ImageRecords, 'get'>;
  readonly registries: Registries;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** With a local image at hand, nobody waits longer than this for a registry. */
const PATIENCE_WITH_LOCAL_MS = 5_000;
/** Deployments come in bursts; between them, connections and certificates need not be held. */
const KEEP_CLIENT_MS = 30_000;

export function createTagResolver(options: TagResolverOptions): TagResolver {
  const { records, registries, clock, random, logger } = options;
  let client: RegistryClient | undefined;
  let cancelTimer: CancelTimer | undefined;
  let users = 0;

  const dropClient = (): void => {
    cancelTimer?.();
    client?.close();
    client = undefined;
  };
  const withClient = async <T>(action: (client: RegistryClient) => Promise<T>): Promise<T> => {
    cancelTimer?.();
    client ??= createRegistryClient({ clock, random, registries });
    users++;
    try {
      return await action(client);
    } finally {
      users--;
      if (users === 0) cancelTimer = clock.setTimer(KEEP_CLIENT_MS, dropClient);
    }
  };

  return {
    async resolve({ reference, credentials, signal }) {
      if (reference.digest !== undefined) {
        const root = { mediaType: '', digest: reference.digest, size: 0 };
        return { root, isStale: false, localDigest: undefined };
      }
      // Both are asked at once: somebody waits for every millisecond of a start.
      const stopAsking = new AbortController();
      const asking = withClient((registry) =>
        registry.resolve({ reference, credentials, signal: AbortSignal.any([signal, stopAsking.signal]) }),
      );
      asking.catch(() => undefined);
      const local = await records.get(formatImageReference(reference)).catch((error: unknown) => {
        stopAsking.abort(error);
        throw error;
      });
      if (local === undefined) return { root: await asking, isStale: false, localDigest: undefined };

      const localDigest = local.digest;
      const ask = (deadline: AbortSignal): Promise<Descriptor> => {
        deadline.addEventListener('abort', () => stopAsking.abort(deadline.reason), { once: true });
        return asking;
      };
      const imageName = familiarImageReference(reference);
      const what = `asking for the digest of ${imageName}`;
      try {
        const root = await withDeadline(ask, { clock, timeoutMs: PATIENCE_WITH_LOCAL_MS, what, signal });
        return { root, isStale: false, localDigest };
      } catch (error) {
        signal.throwIfAborted();
        if (!isUnreachable(error) && !(error instanceof DeadlineError)) throw error;
        logger.warn('The registry does not answer; using the image that is here', {
          image: imageName,
          digest: local.digest,
          error,
        });
        return { root: local.descriptor, isStale: true, localDigest };
      }
    },
    close: dropClient,
  };
}
