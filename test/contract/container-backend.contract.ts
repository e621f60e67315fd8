import { afterAll, beforeAll, describe } from 'vitest';
import type { ContainerBackend } from '../../src/container/backend.ts';
import type { ContainerSpec } from '../../src/container/spec.ts';
import { describeImageStore } from './image-store.contract.ts';
import { describeRootStore } from './root-store.contract.ts';
import { describeStepRuntime } from './step-runtime.contract.ts';

/** What a main process does, in words that every back end's set-up can put into a spec. */
export interface ContractProcess {
  readonly exitCode?: number;
  readonly output?: Uint8Array;
  /** A directory into which it puts all that a container of its image needs. */
  readonly system?: string | undefined;
  /** Files it leaves in the root, by absolute path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Continues until it is asked to end, and then ends with 143; or has to be killed. */
  readonly until?: 'asked' | 'killed';
  readonly cannotStart?: boolean;
}

export interface ContractBackend extends AsyncDisposable {
  readonly ports: ContainerBackend;
  /** An image that is there. */
  readonly image: string;
  /** A spec with that image, its own name and this main process. */
  spec(process: ContractProcess): ContainerSpec;
}

/** What every back end has to do, port by port. `open` is called once, before the first test. */
export function describeContainerBackend(name: string, open: () => Promise<ContractBackend>): void {
  describe(`container back end: ${name}`, () => {
    let backend: ContractBackend;
    const opened = () => backend;

    beforeAll(async () => {
      backend = await open();
    });

    afterAll(async () => {
      await backend?.[Symbol.asyncDispose]();
    });

    describeImageStore(opened);
    describeRootStore(opened);
    describeStepRuntime(opened);
  });
}
