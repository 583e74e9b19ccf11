import type { UnpackedImage } from './local-image.ts';

/** The last few images that were used, so that starting one more instance reads nothing. */
export interface ConfigCache {
  get(key: string): UnpackedImage | undefined;
  set(key: string, image: UnpackedImage): void;
}

export function createConfigCache(capacity: number): ConfigCache {
  // A map keeps the order of insertion: the first key is the one used longest ago.
  const images = new Map<string, UnpackedImage>();
  return {
    get(key) {
      const image = images.get(key);
      if (image === undefined) return undefined;
      images.delete(key);
      images.set(key, image);
      return image;
    },
    set(key, image) {
      images.delete(key);
      images.set(key, image);
      const [oldest] = images.keys();
      if (images.size > capacity && oldest !== undefined) images.delete(oldest);
    },
  };
}
