import type { Descriptor } from '../../images/manifest.ts';
import {
  formatImageReference,
  type ImageReference,
  parseImageReference,
  pinnedImageReference,
} from '../../images/reference.ts';
import {
  type ContainerdConnection,
  isContainerdExists,
  isContainerdNotFound,
} from '../containerd-connection.ts';
import { type Image as ImageRecord, ImagesDefinition } from '../gen/containerd/images.gen.ts';

/** Every image record that we made carries it. */
const OWNER_LABEL = 'oakestra.io/image';
const COLLECT_TIMEOUT_MS = 60_000;

/** How a record says that it is ours. */
export function ownerLabels(digest: string): Record<string, string> {
  return { [OWNER_LABEL]: digest };
}

/** A name of an image in containerd, and what it means there. */
export interface NamedImage {
  /** `docker.io/library/nginx:latest` or `docker.io/library/nginx@sha256:…`. */
  readonly name: string;
  readonly digest: string;
}

/**
 * The names that containerd knows images by. An image that was pulled has a pinned name, which keeps it, and one
 * for each tag that it was asked by.
 */
export interface ImageRecords {
  get(name: string): Promise<(NamedImage & { readonly descriptor: Descriptor }) | undefined>;
  /** Creates the name, or moves it to another image. */
  put(name: string, target: Descriptor): Promise<void>;
  /** All names that we made. */
  list(): Promise<readonly NamedImage[]>;
  /**
   * Removes the image of a reference: its tag, and the content unless another tag of ours means the same; with a
   * digest, all names of that content in this repository. Instances that run from it go on. False: there was none.
   */
  remove(reference: ImageReference): Promise<boolean>;
}

export function createImageRecords(connection: ContainerdConnection): ImageRecords {
  const get: ImageRecords['get'] = async (name) => {
    try {
      const { image } = await connection.unary(ImagesDefinition, 'get', { name });
      return image?.target === undefined
        ? undefined
        : { name, digest: image.target.digest, descriptor: image.target };
    } catch (error) {
      if (isContainerdNotFound(error)) return undefined;
      throw error;
    }
  };
  const put: ImageRecords['put'] = async (name, { mediaType, digest, size }) => {
    const target = { mediaType, digest, size, annotations: {} };
    const image: ImageRecord = { name, labels: ownerLabels(digest), target };
    try {
      await connection.unary(ImagesDefinition, 'create', { image });
    } catch (error) {
      if (!isContainerdExists(error)) throw error;
      const updateMask = ['target', `labels.${OWNER_LABEL}`];
      await connection.unary(ImagesDefinition, 'update', { image, updateMask });
    }
  };
  const list: ImageRecords['list'] = async () => {
    const { images } = await connection.unary(ImagesDefinition, 'list', {
      filters: [`labels."${OWNER_LABEL}"`],
    });
    return images.map(({ name, target }) => ({ name, digest: target?.digest ?? '' }));
  };
  const removeName = async (name: string, isLast: boolean): Promise<void> => {
    try {
      const request = { name, sync: isLast };
      await connection.unary(ImagesDefinition, 'delete', request, { timeoutMs: COLLECT_TIMEOUT_MS });
    } catch (error) {
      if (!isContainerdNotFound(error)) throw error;
    }
  };

  return {
    get,
    put,
    list,
    async remove(reference) {
      const doomed = namesToRemove(reference, await list());
      for (const [i, name] of doomed.entries()) await removeName(name, i === doomed.length - 1);
      return doomed.length > 0;
    },
  };
}

/** Which of `all` names go when `reference` is removed. */
export function namesToRemove(reference: ImageReference, all: readonly NamedImage[]): readonly string[] {
  const ofRepository = all.filter(({ name }) => {
    const { registry, repository } = parseImageReference(name);
    return registry === reference.registry && repository === reference.repository;
  });
  const { digest } = reference;
  if (digest !== undefined)
    return ofRepository.filter((image) => image.digest === digest).map(({ name }) => name);

  const tagged = ofRepository.find(({ name }) => name === formatImageReference(reference));
  if (tagged === undefined) return [];
  const pinned = pinnedImageReference(reference, tagged.digest);
  const others = ofRepository.filter(
    ({ name, digest: of }) => of === tagged.digest && name !== tagged.name && name !== pinned,
  );
  const hasPinned = ofRepository.some(({ name }) => name === pinned);
  return others.length === 0 && hasPinned ? [tagged.name, pinned] : [tagged.name];
}
