import type { PullPolicy } from './spec.ts';

/**
 * The port to the images of a back end: what steps run on that need no root of a `RootStore`. Safe for concurrent use;
 * fails with a `ContainerError` whose code says whose fault it is. What every back end promises is tried by
 * `test/contract/image-store.contract.ts`.
 */
export interface ImageStore {
  /**
   * Makes sure the image is there, pulling as the policy says; calls for the same image at the same
   * time share one pull. Rejects with `image-missing`, `image-denied` or `image-unreachable`, and with the signal's
   * reason when that is aborted.
   */
  ensure(image: string, policy: PullPolicy, signal: AbortSignal): Promise<ImageInfo>;
}

export interface ImageInfo {
  readonly id: string;
  /** `sha256:...` of the manifest where the engine knows it, else of the image's configuration. */
  readonly digest: string;
  /** Koji-style machine name (`x86_64`, `aarch64`). */
  readonly arch: string;
}
