import { ARCH_PLACEHOLDER } from './config/adjutant-options.ts';

/** The machine this runs on, as Koji calls it. */
export function machineArch(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

/** The image that `task_image_default` names on this machine. */
export function defaultImage(setting: string): string {
  return setting.replaceAll(ARCH_PLACEHOLDER, machineArch());
}
