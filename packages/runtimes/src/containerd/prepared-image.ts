import type { Image, ImageProgress, ImageRequest } from '../runtime.ts';

/** What the runtime reads of an image's configuration blob (OCI image specification, "config"). */
export interface OciImageConfig {
  readonly architecture?: string;
  readonly os?: string;
  readonly config?: {
    /** `name`, `uid`, `name:group`, `uid:gid`, … */
    readonly User?: string;
    readonly Env?: readonly string[] | null;
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly StopSignal?: string;
  };
}

/** An image that is complete and unpacked in containerd, with what is needed to start from it. */
export interface PreparedImage extends Image {
  readonly config: OciImageConfig;
  /** Name of the committed snapshot that the writable layer is put upon. */
  readonly chainId: string;
}

export interface PrepareImageOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ImageProgress) => void;
}

/** Resolves, downloads and unpacks an image into the snapshotter of the runtime. */
export type PrepareImage = (request: ImageRequest, options: PrepareImageOptions) => Promise<PreparedImage>;
