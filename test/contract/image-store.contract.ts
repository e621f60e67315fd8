import { beforeAll, describe, expect, it } from 'vitest';
import type { ImageStore } from '../../src/container/image-store.ts';
import { never } from '../../src/core/never.ts';
import type { ContractBackend } from './container-backend.contract.ts';

/** What the `ImageStore` of every back end has to do. */
export function describeImageStore(opened: () => ContractBackend): void {
  describe('ImageStore', () => {
    let backend: ContractBackend;
    let images: ImageStore;

    beforeAll(() => {
      backend = opened();
      images = backend.ports.images;
    });

    it('knows the digest and arch of an image that is there', async () => {
      const image = await images.ensure(backend.image, 'if-not-present', never);

      expect(image.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(image.arch).toMatch(/^[a-z0-9_]+$/);
    });

    it('refuses an image that is not there and must not be pulled', async () => {
      const ensured = images.ensure('localhost/no-such-image:1', 'never', never);

      await expect(ensured).rejects.toMatchObject({ code: 'image-missing' });
    });

    it('looks for nothing when its signal is aborted', async () => {
      const reason = new Error('enough');

      await expect(images.ensure(backend.image, 'never', AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}
