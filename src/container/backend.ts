import type { ImageStore } from './image-store.ts';
import type { ContainerManager } from './manager.ts';

/** All ports of one back end. */
export interface ContainerBackend {
  readonly containers: ContainerManager;
  readonly images: ImageStore;
}
