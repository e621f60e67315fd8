import type { ImageStore } from './image-store.ts';
import type { RootStore } from './root-store.ts';
import type { StepRuntime } from './step-runtime.ts';

/** All ports of one back end: what one gives out, the others take. */
export interface ContainerBackend {
  readonly runtime: StepRuntime;
  readonly images: ImageStore;
  readonly roots: RootStore;
}
