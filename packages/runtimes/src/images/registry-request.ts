import type { Descriptor } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import type { RegistryCredentials } from './registry-settings.ts';

/** One image at its registry. */
export interface RegistryRequest {
  readonly reference: ImageReference;
  readonly signal: AbortSignal;
  /** For this image alone; wins over the credentials of the settings. */
  readonly credentials?: RegistryCredentials | undefined;
}

export interface BlobRequest extends RegistryRequest {
  readonly descriptor: Descriptor;
  /** Where to begin; default 0. */
  readonly offset?: number;
}
