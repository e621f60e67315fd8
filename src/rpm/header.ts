import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { ByteSource } from './byte-source.ts';
import { type DependencyKind, dependencyTags } from './dependency-tags.ts';
import { BadRpm } from './errors.ts';
import { HeaderBlob, type HeaderLimits, introBytes, parseHeaderIntro } from './header-blob.ts';
import { headerBudget } from './header-budget.ts';
import { checkName, type HeaderName, shorten } from './header-names.ts';
import { rpmTag, signatureTag } from './header-tags.ts';
import { formatNvr, toRpmFileName } from './nvr.ts';

/** One dependency; `flags` are rpm's RPMSENSE bits, `version` is empty when there is none. */
export interface RpmDependency {
  readonly name: string;
  readonly flags: number;
  readonly version: string;
}

/** One entry of a header's file list, numbers unsigned as stored. What a header leaves out is 0, null or empty. */
export interface RpmFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** As `st_mode`: type and permissions. */
  readonly mode: number;
  readonly mtime: number;
  /** RPMFILE bits: config, doc, ghost... */
  readonly flags: number;
  readonly rdev: number;
  readonly inode: number;
  /** Null for a package that is not installed. */
  readonly state: number | null;
  readonly verifyFlags: number;
  readonly user: string | null;
  readonly group: string | null;
  /** Hex digest of a regular file's content, empty for others. */
  readonly digest: string;
  /** Target of a symbolic link, empty for others. */
  readonly linkTo: string;
  /** Capabilities as text (`cap_net_raw=ep`), empty for none. */
  readonly capabilities: string;
}

/** RPMFILE_SPECFILE. */
const specFile = 1 << 5;

const leadBytes = 96;
const leadMagic = Buffer.from([0xed, 0xab, 0xee, 0xdb]);
const headerSignatureType = 5;

/** rpm's own limits (`lib/header.c`), but 64 MiB where it would take 256: the largest real headers are near 20. */
const signatureLimits: HeaderLimits = { entries: 32, storeBytes: 64 * 1024 * 1024 };
const mainLimits: HeaderLimits = { entries: 65_535, storeBytes: 64 * 1024 * 1024 };

/**
 * What an RPM says about itself. Text that is no UTF-8 keeps its bytes as lone surrogates, as in rpm's Python
 * module. Lists are decoded when asked for and throw BadRpm when they contradict each other.
 */
export class RpmHeader {
  readonly name: HeaderName;
  readonly version: HeaderName;
  readonly release: HeaderName;
  readonly epoch: number | null;
  /** The Arch tag; of a source package the arch it was made on (see `fileArch`). */
  readonly arch: HeaderName;
  readonly isSource: boolean;
  /** File name of the source package a binary one was built from. */
  readonly sourceRpm: HeaderName | null;
  readonly buildTime: number | null;
  readonly buildHost: string | null;
  /** Installed size. */
  readonly sizeBytes: number | null;
  readonly vendor: string | null;
  readonly packager: string | null;
  readonly distribution: string | null;
  readonly exclusiveArch: readonly string[];
  readonly excludeArch: readonly string[];
  readonly buildArchs: readonly string[];
  /** Numbers of the sources and patches a `nosrc` package leaves out. */
  readonly noSource: readonly number[];
  readonly noPatch: readonly number[];
  /** Hex MD5 of header and payload, Koji's `payloadhash`; null in packages of format 6, which have none. */
  readonly sigMd5: string | null;
  /** Hex SHA-256 of the compressed payload; null before rpm 4.14. */
  readonly payloadSha256: string | null;
  readonly #main: HeaderBlob;

  /**
   * Throws BadRpm when name, version, release or arch are missing or no names, when the package's file could have no name,
   * or a tag has a wrong type.
   */
  constructor(signature: HeaderBlob, main: HeaderBlob) {
    this.#main = main;
    this.name = required(main, rpmTag.name, 'name');
    this.version = required(main, rpmTag.version, 'version');
    this.release = required(main, rpmTag.release, 'release');
    this.arch = required(main, rpmTag.arch, 'arch');
    this.epoch = main.number(rpmTag.epoch);
    const sourceRpm = main.string(rpmTag.sourceRpm);
    this.sourceRpm = sourceRpm === null ? null : checkName(sourceRpm, 'source package');
    this.isSource = main.has(rpmTag.sourcePackage) || this.sourceRpm === null;
    this.buildTime = main.number(rpmTag.buildTime);
    this.buildHost = main.string(rpmTag.buildHost);
    this.sizeBytes = main.number(rpmTag.size) ?? main.number(rpmTag.longSize);
    this.vendor = main.string(rpmTag.vendor);
    this.packager = main.string(rpmTag.packager);
    this.distribution = main.string(rpmTag.distribution);
    this.exclusiveArch = main.strings(rpmTag.exclusiveArch);
    this.excludeArch = main.strings(rpmTag.excludeArch);
    this.buildArchs = main.strings(rpmTag.buildArchs);
    this.noSource = main.numbers(rpmTag.noSource);
    this.noPatch = main.numbers(rpmTag.noPatch);
    this.sigMd5 = signature.binary(signatureTag.md5)?.toString('hex') ?? null;
    this.payloadSha256 = main.strings(rpmTag.payloadSha256)[0] ?? null;
    checkName(toRpmFileName({ ...this, arch: this.fileArch }), 'file name');
  }

  get nvr(): HeaderName {
    return checkName(formatNvr(this), 'file name');
  }

  /** The arch in the package's file name: `src` or `nosrc` for a source package (`koji.get_header_field` with src_arch). */
  get fileArch(): string {
    if (!this.isSource) return this.arch;
    return this.noSource.length > 0 || this.noPatch.length > 0 ? 'nosrc' : 'src';
  }

  /** The untranslated text of a tag of `rpmTag`, null when the header has none. */
  text(tag: number): string | null {
    return this.#main.string(tag);
  }

  /** Numbers of all tags the main header has, those included that are not in `rpmTag`. */
  get tags(): readonly number[] {
    return this.#main.tags;
  }

  /** All values of a tag, whatever its type; binary data as one hex text. Empty when the header has none. */
  values(tag: number): readonly (string | number)[] {
    return this.#main.values(tag);
  }

  dependencies(kind: DependencyKind): readonly RpmDependency[] {
    const tags = dependencyTags[kind];
    const names = this.#main.strings(tags.name);
    const flags = this.#parallel(names.length, this.#main.numbers(tags.flags), kind, 'flags');
    const versions = this.#parallel(names.length, this.#main.strings(tags.version), kind, 'versions');
    return names.map((name, i) => ({ name, flags: flags[i] ?? 0, version: versions[i] ?? '' }));
  }

  /** The file list, an object for each file; for what needs one column alone there are cheaper ways. */
  files(): readonly RpmFile[] {
    const paths = this.#paths();
    const texts = (tag: number, what: string) =>
      this.#parallel(paths.length, this.#main.strings(tag), 'file', what);
    const numbers = (tag: number, what: string) => this.#fileNumbers(paths.length, tag, what);
    const sizes = numbers(
      this.#main.has(rpmTag.fileSizes) ? rpmTag.fileSizes : rpmTag.longFileSizes,
      'sizes',
    );
    const modes = numbers(rpmTag.fileModes, 'modes');
    const mtimes = numbers(rpmTag.fileMtimes, 'times');
    const flags = numbers(rpmTag.fileFlags, 'flags');
    const rdevs = numbers(rpmTag.fileRdevs, 'device numbers');
    const inodes = numbers(rpmTag.fileInodes, 'inodes');
    const states = numbers(rpmTag.fileStates, 'states');
    const verifyFlags = numbers(rpmTag.fileVerifyFlags, 'verify flags');
    const users = texts(rpmTag.fileUserName, 'users');
    const groups = texts(rpmTag.fileGroupName, 'groups');
    const digests = texts(rpmTag.fileDigests, 'digests');
    const links = texts(rpmTag.fileLinkTos, 'links');
    const capabilities = texts(rpmTag.fileCaps, 'capabilities');
    return paths.map((path, i) => ({
      path,
      sizeBytes: sizes[i] ?? 0,
      mode: modes[i] ?? 0,
      mtime: mtimes[i] ?? 0,
      flags: flags[i] ?? 0,
      rdev: rdevs[i] ?? 0,
      inode: inodes[i] ?? 0,
      state: states[i] ?? null,
      verifyFlags: verifyFlags[i] ?? 0,
      user: users[i] ?? null,
      group: groups[i] ?? null,
      digest: digests[i] ?? '',
      linkTo: links[i] ?? '',
      capabilities: capabilities[i] ?? '',
    }));
  }

  /**
   * Paths of the spec files: of those that are marked as such, or by their suffix where an old rpm has marked none. Looks
   * at two columns of the file list.
   */
  specFiles(): readonly string[] {
    const paths = this.#paths();
    const flags = this.#fileNumbers(paths.length, rpmTag.fileFlags, 'flags');
    const marked = paths.filter((_path, i) => ((flags[i] ?? 0) & specFile) !== 0);
    return marked.length > 0 ? marked : paths.filter((path) => path.endsWith('.spec'));
  }

  /** Paths of all files; a directory is named once, however many files lie in it. */
  #paths(): readonly string[] {
    const names = this.#main.strings(rpmTag.baseNames);
    if (names.length === 0 && this.#main.has(rpmTag.oldFileNames)) {
      throw new BadRpm('bad main header: its file list has the form of rpm 3, which is not supported');
    }
    const directories = this.#main.strings(rpmTag.dirNames);
    const indexes = this.#fileNumbers(names.length, rpmTag.dirIndexes, 'directory indexes');
    let total = 0;
    return names.map((name, i) => {
      const directory = directories[indexes[i] ?? -1];
      if (directory === undefined)
        throw new BadRpm(`bad main header: file ${shorten(name)} lies in no directory of the list`);
      const length = directory.length + name.length;
      total += length;
      if (length > headerBudget.pathBytes || total > headerBudget.pathsTotal)
        throw new BadRpm(`bad main header: the paths of its files are too long`);
      return directory + name;
    });
  }

  #fileNumbers(count: number, tag: number, what: string): readonly number[] {
    return this.#parallel(count, this.#main.numbers(tag), 'file', what);
  }

  /** Arrays that describe the same things have the same length, or are missing altogether. */
  #parallel<T>(count: number, values: readonly T[], of: string, what: string): readonly T[] {
    if (values.length === 0 || values.length === count) return values;
    throw new BadRpm(`bad main header: ${count} ${of} names but ${values.length} ${what}`);
  }
}

/**
 * Reads lead, signature header and main header from the first bytes of an RPM, and no further: the rest of a
 * stream is not consumed, its iterator is told to finish. Throws BadRpm for anything that is not a sound RPM of
 * format 3, 4 or 6; errors of the stream itself pass through. Signatures and digests are not verified.
 */
export async function parseRpmHeader(source: Uint8Array | AsyncIterable<Uint8Array>): Promise<RpmHeader> {
  await using bytes = new ByteSource(source instanceof Uint8Array ? single(source) : source);
  checkLead(await bytes.peek(leadBytes));
  await bytes.take(leadBytes, 'lead');
  const signature = await takeHeader(bytes, 'signature', signatureLimits, 8);
  const main = await takeHeader(bytes, 'main', mainLimits, 1);
  return new RpmHeader(signature, main);
}

/**
 * The bytes of an RPM up to the end of its main header, for whoever parses them elsewhere: nothing is looked at but how long
 * the parts say they are. Throws as `parseRpmHeader`.
 */
export async function cutRpmHeader(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  await using bytes = new ByteSource(source);
  checkLead(await bytes.peek(leadBytes));
  const parts = [await bytes.take(leadBytes, 'lead')];
  for (const [label, limits, padTo] of [
    ['signature', signatureLimits, 8],
    ['main', mainLimits, 1],
  ] as const) {
    const intro = await bytes.take(introBytes, `${label} header`);
    const { indexBytes, storeBytes } = parseHeaderIntro(intro, label, limits);
    const padding = (padTo - (storeBytes % padTo)) % padTo;
    parts.push(intro, await bytes.take(indexBytes + storeBytes + padding, `${label} header`));
  }
  return Buffer.concat(parts);
}

/** `parseRpmHeader` of a local file; the message of a BadRpm begins with the file's name. */
export async function readRpmHeader(path: string, signal?: AbortSignal): Promise<RpmHeader> {
  const stream = createReadStream(path, signal === undefined ? {} : { signal });
  try {
    return await parseRpmHeader(stream);
  } catch (error) {
    if (error instanceof BadRpm) throw new BadRpm(`${basename(path)}: ${error.message}`, { cause: error });
    throw error;
  }
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function checkLead(lead: Buffer): void {
  if (lead.length === 0) throw new BadRpm('not an RPM: the file is empty');
  if (!lead.subarray(0, 4).equals(leadMagic)) {
    const text = lead.toString('latin1', 0, 16).replace(/[^\x20-\x7e]/g, '.');
    throw new BadRpm(
      `not an RPM: starts with ${lead.toString('hex', 0, 4)} ("${text}") instead of ${leadMagic.toString('hex')}`,
    );
  }
  if (lead.length < leadBytes) return;
  const signatureType = lead.readUInt16BE(78);
  if (signatureType !== headerSignatureType) {
    throw new BadRpm(
      `not an RPM of a known format: signature type ${signatureType} instead of ${headerSignatureType}`,
    );
  }
}

async function takeHeader(
  bytes: ByteSource,
  label: string,
  limits: HeaderLimits,
  padTo: number,
): Promise<HeaderBlob> {
  const what = `${label} header`;
  const sizes = parseHeaderIntro(await bytes.take(introBytes, what), label, limits);
  const index = await bytes.take(sizes.indexBytes, what);
  const store = await bytes.take(sizes.storeBytes, what);
  await bytes.take((padTo - (sizes.storeBytes % padTo)) % padTo, what);
  return new HeaderBlob(label, index, store);
}

function required(main: HeaderBlob, tag: number, what: 'name' | 'version' | 'release' | 'arch'): HeaderName {
  const text = main.string(tag);
  if (text === null || text === '') throw new BadRpm(`bad main header: it has no ${what}`);
  return checkName(text, what);
}
