import { BadNvr } from './errors.ts';

/** Name, version and release: what a build is called. */
export interface Nvr {
  readonly name: string;
  readonly version: string;
  readonly release: string;
}

/** An NVR taken from text; `epoch` is what stood before the first colon of the name, empty when nothing did. */
export interface ParsedNvr extends Nvr {
  readonly epoch: string;
}

/** An NVR with its arch; `location` is what followed an `@`, as Koji writes packages of external repos. */
export interface ParsedNvra extends ParsedNvr {
  readonly arch: string;
  readonly isSource: boolean;
  readonly location: string | null;
}

/** Splits `[epoch:]name-version-release` as `koji.parse_NVR`. Throws BadNvr. */
export function parseNvr(text: string): ParsedNvr {
  const releaseDash = text.lastIndexOf('-');
  if (releaseDash === -1 || releaseDash === text.length - 1) throw new BadNvr(text);
  const beforeRelease = text.slice(0, releaseDash);
  const versionDash = beforeRelease.lastIndexOf('-');
  if (versionDash === -1 || versionDash === releaseDash - 1) throw new BadNvr(text);
  const label = beforeRelease.slice(0, versionDash);
  const colon = label.indexOf(':');
  return {
    name: label.slice(colon + 1),
    version: beforeRelease.slice(versionDash + 1),
    release: text.slice(releaseDash + 1),
    epoch: colon === -1 ? '' : label.slice(0, colon),
  };
}

/** Splits `[epoch:]name-version-release.arch[.rpm][@location]` as `koji.parse_NVRA`. Throws BadNvr. */
export function parseNvra(text: string): ParsedNvra {
  const at = text.indexOf('@');
  const location = at === -1 ? '' : text.slice(at + 1);
  const label = (at === -1 ? text : text.slice(0, at)).replace(/\.rpm$/, '');
  const dot = label.lastIndexOf('.');
  if (dot === -1 || dot === label.length - 1) throw new BadNvr(label);
  const arch = label.slice(dot + 1);
  return {
    ...parseNvr(label.slice(0, dot)),
    arch,
    isSource: arch === 'src',
    location: location === '' ? null : location,
  };
}

/** `name-version-release`, with `epoch:` before it when one is given (`koji.buildLabel` with showEpoch). */
export function formatNvr(nvr: Nvr, epoch: number | null = null): string {
  return `${epoch === null ? '' : `${epoch}:`}${nvr.name}-${nvr.version}-${nvr.release}`;
}

/** `name-version-release.arch`. */
export function formatNvra(nvr: Nvr & { readonly arch: string }): string {
  return `${formatNvr(nvr)}.${nvr.arch}`;
}

/** The name a package's file must have for the hub to import it: `name-version-release.arch.rpm`. */
export function toRpmFileName(nvr: Nvr & { readonly arch: string }): string {
  return `${formatNvra(nvr)}.rpm`;
}
