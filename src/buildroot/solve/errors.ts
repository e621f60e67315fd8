import { BuilderError } from '../../core/errors.ts';
import { BuildrootUnsupported } from '../errors.ts';
import { describePackageManagers, type PackageManagerName } from '../plan/tag-settings.ts';
import { eligibleManagers } from './package-managers.ts';

/** The bootstrap image cannot make a buildroot: a matter of who chose it. */
export class UnusableImage extends BuilderError {
  constructor(image: string, lacks: string, wanted: string) {
    super(
      'unusable-image',
      'request',
      `bootstrap image ${image} has ${lacks}: the tag's image policy or task_image_default must name an image with ${wanted}`,
    );
  }
}

/** The image has no package manager at all, or not the one that the tag asks for, which an image of another builder may have. */
export function lacksPackageManager(image: string, asked: PackageManagerName | null): BuilderError {
  const wanted = eligibleManagers(asked)
    .map(({ title, packages }) => `${title} (${packages})`)
    .join(' or ');
  if (asked === null) return new UnusableImage(image, `neither ${describePackageManagers('nor')}`, wanted);
  return new BuildrootUnsupported(
    `tag extra mock.package_manager is ${asked}: bootstrap image ${image} has no ${wanted}; adjutant_image_policy can name an image that has it`,
  );
}
