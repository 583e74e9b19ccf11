import { messageOf, OakestraError } from '@oakestra/contracts';
import { type Clock, sleep } from '@oakestra/daemon';
import { imageError } from '../../images/image-errors.ts';
import { readLimited } from '../../images/limited-body.ts';
import { type Descriptor, MAX_MANIFEST_BYTES } from '../../images/manifest.ts';
import { isIndexType, isManifestType, layerKind } from '../../images/media-types.ts';
import {
  type ContainerdConnection,
  isContainerdExists,
  isContainerdNotFound,
  isContainerdPrecondition,
} from '../containerd-connection.ts';
import { ContentDefinition, WriteAction, type WriteContentRequest } from '../gen/containerd/content.gen.ts';
import { pullFailure } from './pull-failure.ts';

export type ContentLabels = Readonly<Record<string, string>>;

interface ContentWrite {
  readonly descriptor: Descriptor;
  readonly labels?: ContentLabels;
  /** The bytes from `offset` on, where an earlier attempt ended. */
  readonly source: (offset: number) => AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** Bytes that are there, also those of an earlier attempt or written by somebody else. */
  readonly onProgress?: (doneBytes: number) => void;
}

/** The blobs of one namespace of containerd. What is written is held by `lease`. */
export interface ContentStore {
  has(digest: string): Promise<boolean>;
  /** A small blob; undefined when it is not there. */
  read(digest: string, signal?: AbortSignal): Promise<Buffer | undefined>;
  /**
   * Brings a blob in unless it is there. Writers of the same blob take turns: who comes second waits, and finds
   * it done or goes on. containerd hashes; other content than announced fails with `image-invalid`.
   */
  write(write: ContentWrite): Promise<void>;
  setLabels(digest: string, labels: ContentLabels): Promise<void>;
}

/** What goes over the socket at once: large enough for speed, small enough to lose little when it breaks. */
const PIECE_BYTES = 256 * 1024;
const LOCK_POLL_MS = 300;

export function createContentStore(
  connection: ContainerdConnection,
  options: { readonly clock: Clock; readonly lease?: string },
): ContentStore {
  const { clock } = options;
  const held = options.lease === undefined ? {} : { lease: options.lease };

  const setLabels = async (digest: string, labels: ContentLabels): Promise<void> => {
    const paths = Object.keys(labels).map((name) => `labels.${name}`);
    if (paths.length === 0) return;
    const info = { digest, size: 0, labels: { ...labels } };
    await connection.unary(ContentDefinition, 'update', { info, updateMask: paths }, held);
  };

  /** One session with containerd: asks what is there, adds what is missing, commits. */
  const writeOnce = async (write: ContentWrite): Promise<void> => {
    const { descriptor, signal, onProgress } = write;
    const ref = ingestRef(descriptor);
    const call = connection.duplex(ContentDefinition, 'write', { ...held, signal });
    const answers = call.responses[Symbol.asyncIterator]();
    // A failed send shows in the answers too, and better explained.
    const ask = async (request: Partial<WriteContentRequest> & Pick<WriteContentRequest, 'action'>) => {
      call.send({ ...EMPTY_WRITE, ref, total: descriptor.size, ...request }).catch(() => undefined);
      const answer = await answers.next();
      if (answer.done === true) throw new Error('containerd ended the writing of content early');
      return answer.value;
    };
    try {
      let { offset } = await ask({ action: WriteAction.STAT, expected: descriptor.digest });
      onProgress?.(offset);
      if (offset < descriptor.size) {
        for await (const data of inPieces(write.source(offset))) {
          await ask({ action: WriteAction.WRITE, offset, data });
          offset += data.length;
          onProgress?.(offset);
        }
      }
      const labels = { ...write.labels };
      await ask({ action: WriteAction.COMMIT, offset, expected: descriptor.digest, labels });
      call.end();
    } finally {
      call.cancel();
      await answers.return?.(undefined);
    }
  };

  const waitForOther = async ({ descriptor, signal, onProgress }: ContentWrite): Promise<void> => {
    await sleep(clock, LOCK_POLL_MS, signal);
    try {
      const request = { ref: ingestRef(descriptor) };
      const { status } = await connection.unary(ContentDefinition, 'status', request, { signal });
      if (status !== undefined) onProgress?.(status.offset);
    } catch (error) {
      // It is done, or gave up: the next attempt at writing will tell.
      if (!isContainerdNotFound(error)) throw error;
    }
  };

  const discard = async (descriptor: Descriptor): Promise<void> => {
    try {
      await connection.unary(ContentDefinition, 'abort', { ref: ingestRef(descriptor) });
    } catch (error) {
      if (!isContainerdNotFound(error)) throw error;
    }
  };

  return {
    async has(digest) {
      try {
        await connection.unary(ContentDefinition, 'info', { digest });
        return true;
      } catch (error) {
        if (isContainerdNotFound(error)) return false;
        throw error;
      }
    },

    async read(digest, signal) {
      try {
        return await readLimited(bytesOf(connection, digest, signal), MAX_MANIFEST_BYTES);
      } catch (error) {
        if (isContainerdNotFound(error)) return undefined;
        throw error;
      }
    },

    async write(write) {
      const { descriptor, signal, onProgress } = write;
      for (let mayStartOver = true; ; ) {
        try {
          return await writeOnce(write);
        } catch (error) {
          signal.throwIfAborted();
          if (isContainerdExists(error)) {
            onProgress?.(descriptor.size);
            await setLabels(descriptor.digest, write.labels ?? {});
            return;
          }
          if (isLocked(error)) {
            await waitForOther(write);
          } else if (isContainerdPrecondition(error)) {
            // Not what was announced. What an earlier attempt left may be to blame: once more from the start.
            await discard(descriptor);
            if (!mayStartOver) throw damaged(descriptor, error);
            mayStartOver = false;
          } else {
            throw pullFailure('storing downloaded content', error);
          }
        }
      }
    },

    setLabels,
  };
}

/**
 * The name under which a blob that is not complete is kept. containerd's own clients use the same, so that any of
 * them goes on where another ended.
 */
function ingestRef({ mediaType, digest }: Descriptor): string {
  if (layerKind(mediaType).kind === 'layer') return `layer-${digest}`;
  if (isIndexType(mediaType)) return `index-${digest}`;
  if (isManifestType(mediaType)) return `manifest-${digest}`;
  return `config-${digest}`;
}

const EMPTY_WRITE: WriteContentRequest = {
  action: WriteAction.STAT,
  ref: '',
  total: 0,
  expected: '',
  offset: 0,
  data: new Uint8Array(),
  labels: {},
};

/** Joins small chunks; what is there when the source fails is handed on before the failure. */
async function* inPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): Buffer => {
    const piece = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, length);
    parts = [];
    length = 0;
    return piece;
  };
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const chunk of source) {
      parts.push(chunk);
      length += chunk.length;
      if (length >= PIECE_BYTES) yield take();
    }
  } catch (error) {
    failure = { error };
  }
  if (length > 0) yield take();
  if (failure !== undefined) throw failure.error;
}

async function* bytesOf(connection: ContainerdConnection, digest: string, signal?: AbortSignal) {
  const request = { digest, offset: 0, size: 0 };
  const pieces = connection.serverStream(ContentDefinition, 'read', request, signal ? { signal } : {});
  for await (const { data } of pieces) yield Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Somebody else writes the same blob. containerd calls that "unavailable", like itself when it is down. */
function isLocked(thrown: unknown): boolean {
  const cause = thrown instanceof OakestraError ? thrown.cause : undefined;
  return (
    thrown instanceof OakestraError &&
    thrown.code === 'runtime-unavailable' &&
    /\blocked\b/.test(messageOf(cause))
  );
}

function damaged({ digest }: Descriptor, cause: unknown): OakestraError {
  return imageError(
    'image-invalid',
    `The content ${digest} was damaged on its way or replaced at the registry: ${messageOf(cause)}. Push the image again`,
    { cause, details: { digest } },
  );
}
