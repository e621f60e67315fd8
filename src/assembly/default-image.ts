import { ARCH_PLACEHOLDER, adjutantOptions } from '../config/options/adjutant.ts';
import type { Config } from '../config/schema.ts';
import { ContainerError } from '../container/errors.ts';
import type { ImageInfo, ImageStore } from '../container/image-store.ts';
import { hostArch } from '../rpm/arch.ts';

/** The image that `task_image_default` names on this machine. */
export function defaultImage(setting: string): string {
  return setting.replaceAll(ARCH_PLACEHOLDER, hostArch());
}

/** Makes sure that the default image is there. Where that is ours and missing, the error says what makes it. */
export async function ensureDefaultImage(
  { adjutant }: Config,
  images: ImageStore,
  signal: AbortSignal,
): Promise<ImageInfo> {
  const image = defaultImage(adjutant.task_image_default);
  try {
    return await images.ensure(image, adjutant.image_pull_policy, signal);
  } catch (error) {
    const isOurs = adjutant.task_image_default === adjutantOptions.task_image_default.defaultText;
    if (!isOurs || !(error instanceof ContainerError) || error.code !== 'image-missing') throw error;
    const remedy = 'run scripts/setup.sh, which makes it, or set task_image_default to another';
    throw new ContainerError('image-missing', `there is no image ${image} on this host: ${remedy}`);
  }
}
