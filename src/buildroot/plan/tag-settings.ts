import { isPythonTrue } from '../../core/python-truth.ts';
import type { TagExtra } from '../../policy/tag-extra-cache.ts';
import { canonArch, machineArch } from '../../rpm/arch.ts';
import { BuildrootUnsupported } from '../errors.ts';
import { BadTagSetting } from './mock-environment.ts';

/** The package managers that are driven here, the preferred one first, as people call them. */
export const packageManagerTitles = { dnf4: 'dnf 4', dnf5: 'dnf 5' } as const;

/** Its name in mock, and in the tag extra `mock.package_manager`. */
export type PackageManagerName = keyof typeof packageManagerTitles;

/** What of a tag's extra settings goes to the solver (`builder/kojid BuildRoot._writeMockConfig`). */
export interface SolverSettings {
  readonly best: boolean;
  readonly moduleHotfixes: boolean;
  readonly releaseVersion: string | null;
  /** Null: whichever the image has. */
  readonly packageManager: PackageManagerName | null;
}

/** What the tag's settings meet here. */
export interface TagSettingsContext {
  /** Arch of the root. */
  readonly targetArch: string;
  /** Machine name of this host, as `uname -m` says it. */
  readonly machine: string;
  /** kojid's `mock_bootstrap_image`. */
  readonly mockBootstrapImage: boolean;
}

/** mock's names of package managers, and which it is; null for those that are not driven here. */
const namesInMock: ReadonlyMap<unknown, PackageManagerName | null> = new Map([
  ['dnf', 'dnf4'],
  ['dnf4', 'dnf4'],
  ['dnf5', 'dnf5'],
  ['microdnf', null],
  ['yum', null],
]);

const signing = {
  enable: 'mock.plugin_conf.sign_enable',
  command: 'mock.plugin_conf.sign_opts.cmd',
  options: 'mock.plugin_conf.sign_opts.opts',
} as const;

/** Extras that choose between ways of mock to make the same root. */
const waysOfMock = ['mock.new_chroot', 'mock.use_bootstrap'] as const;

/**
 * The solver's settings. Throws `BadTagSetting` for a value that dnf would not take, `BuildrootUnsupported` for a package
 * manager that only another builder has.
 */
export function readSolverSettings(extra: TagExtra): SolverSettings {
  return {
    best: readBest(extra['mock.yum.best']),
    moduleHotfixes: isPythonTrue(extra['mock.yum.module_hotfixes']),
    releaseVersion: readReleaseVersion(extra['mock.releasever']),
    packageManager: readPackageManager(extra['mock.package_manager']),
  };
}

/**
 * Looks whether a root as the tag wants it can be made here, and names the extras that were set but mean
 * nothing to this builder and change nothing in what is built. Throws `BuildrootUnsupported` for what only
 * another builder can do, `BadTagSetting` for what none can.
 */
export function checkTagSettings(extra: TagExtra, context: TagSettingsContext): readonly string[] {
  readSolverSettings(extra);
  checkModuleCommands(extra['mock.module_setup_commands']);
  checkSigning(extra);
  if (
    isPythonTrue(extra['mock.forcearch']) &&
    machineArch(canonArch(context.targetArch)) !== context.machine
  ) {
    throw new BuildrootUnsupported(
      `tag extra mock.forcearch: this builder does not emulate ${context.targetArch} on ${context.machine}`,
    );
  }
  return [
    ...waysOfMock.filter((key) => Object.hasOwn(extra, key)),
    ...(isPythonTrue(extra['mock.bootstrap_image_ready']) ? ['mock.bootstrap_image_ready'] : []),
    ...(isPythonTrue(extra['mock.bootstrap_image']) && !context.mockBootstrapImage
      ? ['mock.bootstrap_image (mock_bootstrap_image is off)']
      : []),
  ];
}

function readBest(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  const text = plainText(value)?.trim();
  if (text !== '0' && text !== '1') throw new BadTagSetting('tag extra mock.yum.best: must be 0 or 1');
  return text === '1';
}

function readReleaseVersion(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const text = plainText(value);
  if (text === null || !/^[A-Za-z0-9._-]+$/.test(text))
    throw new BadTagSetting('tag extra mock.releasever: letters, digits, dot, dash and underscore only');
  return text;
}

function readPackageManager(value: unknown): PackageManagerName | null {
  if (!isPythonTrue(value)) return null;
  const found = namesInMock.get(value);
  if (found === undefined) {
    const known = [...namesInMock.keys()].join(', ');
    throw new BadTagSetting(`tag extra mock.package_manager: must be one of ${known}`);
  }
  if (found === null) {
    throw new BuildrootUnsupported(
      `tag extra mock.package_manager is ${String(value)}: this builder drives ${describePackageManagers('or')} only`,
    );
  }
  return found;
}

function checkModuleCommands(value: unknown): void {
  if (!isPythonTrue(value)) return;
  const isSound =
    Array.isArray(value) &&
    value.every((each) => Array.isArray(each) && each.length === 2 && typeof each[0] === 'string');
  if (!isSound) {
    throw new BadTagSetting(
      'tag extra mock.module_setup_commands: must be a list of pairs such as ["enable", "perl:5.32"]',
    );
  }
  throw new BuildrootUnsupported(
    'tag extra mock.module_setup_commands: this builder does not set up modules',
  );
}

/** kojid wants the other two as soon as the first is there, even if it says no. */
function checkSigning(extra: TagExtra): void {
  if (!Object.hasOwn(extra, signing.enable)) return;
  const missing = [signing.command, signing.options].filter((key) => !Object.hasOwn(extra, key));
  if (missing.length > 0) {
    throw new BadTagSetting(`tag extra ${signing.enable}: ${missing.join(' and ')} must be set, too`);
  }
  if (isPythonTrue(extra[signing.enable])) {
    throw new BuildrootUnsupported(`tag extra ${signing.enable}: this builder does not sign packages`);
  }
}

/** `dnf 4 or dnf 5`: those that are driven here, for people. */
export function describePackageManagers(or: 'or' | 'nor'): string {
  return Object.values(packageManagerTitles).join(` ${or} `);
}

/** A number, truth value or text as one text; null for anything else. */
function plainText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(Number(value));
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : null;
}
