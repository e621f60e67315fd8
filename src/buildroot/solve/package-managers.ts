import type { PackageManagerName } from '../plan/tag-settings.ts';
import { dnf4 } from './dnf4.ts';
import { dnf5 } from './dnf5.ts';
import type { PackageManager } from './package-manager.ts';

/** Those that are driven here, the preferred one first. */
export const packageManagers: readonly PackageManager[] = [dnf4, dnf5];

/** Those that will do where a tag asks for this one, or for none in particular. */
export function eligibleManagers(asked: PackageManagerName | null): readonly PackageManager[] {
  return packageManagers.filter(({ name }) => asked === null || asked === name);
}
