import type { ImageStore } from './image-store.ts';
import type { ContainerManager } from './manager.ts';
import type { RootStore } from './root-store.ts';

/** All ports of one back end: what one gives out, the others take. */
export interface ContainerBackend {
  readonly containers: ContainerManager;
  readonly images: ImageStore;
  readonly roots: RootStore;
}
