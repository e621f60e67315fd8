import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  type IndexEntry,
  int16,
  int32,
  layOutTags,
  type Tags,
  text,
  texts,
  toEntryBytes,
  toHeader,
} from './header-bytes.ts';
import { rpmTag } from './header-tags.ts';

/** A file of a package. `path` is absolute; in a source package it is a bare name. */
export interface PackedFile {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'link';
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  /** Content, or the link's target. */
  readonly content: Uint8Array;
  readonly user?: string;
  readonly group?: string;
  /** As `cap_from_text(3)` reads it. */
  readonly capabilities?: string;
  /** rpm may find it changed, as it may a configuration file. */
  readonly mayChange?: boolean;
}

export interface PackageToWrite {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  readonly summary: string;
  /** Null makes a source package. */
  readonly sourceRpm: string | null;
  /** Names of packages; of a source package what its build requires. */
  readonly requires: readonly string[];
  readonly files: readonly PackedFile[];
  /** A script of `/bin/sh` that runs before the files are put into place. */
  readonly preIn?: string;
  /** Seconds since the epoch. */
  readonly builtTs: number;
}

const binaryType = 7;
const sha256 = 8;
const headerRegion = 63;
const signatureRegion = 62;
const sigTag = { sha1: 269, sha256: 273, size: 1000, md5: 1004, payloadSize: 1007 } as const;
const typeBits = { file: 0o100000, directory: 0o040000, link: 0o120000 } as const;
const configFile = 1;

/** `name-version-release.arch.rpm`, as rpmbuild would call it. */
export function fileNameOf(
  rpm: Pick<PackageToWrite, 'name' | 'version' | 'release' | 'arch' | 'sourceRpm'>,
): string {
  return `${rpm.name}-${rpm.version}-${rpm.release}.${rpm.sourceRpm === null ? 'src' : rpm.arch}.rpm`;
}

/**
 * A whole package as rpm's format 4 has it: digests of header, payload and each file, and a payload in cpio that is
 * compressed by gzip. It is not signed.
 */
export async function writeRpm(rpm: PackageToWrite): Promise<Buffer> {
  const files = rpm.files.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const archive = toCpio(files, rpm.builtTs);
  // What is packed once and read a few times need not be small.
  const payload = await promisify(gzip)(archive, { level: 1 });
  const main = withRegion(headerRegion, mainTags({ ...rpm, files }, payload));
  const body = Buffer.concat([main, payload]);
  const signature = withRegion(signatureRegion, [
    [sigTag.sha1, text(digest('sha1', main).toString('hex'))],
    [sigTag.sha256, text(digest('sha256', main).toString('hex'))],
    [sigTag.size, int32(body.length)],
    [sigTag.md5, { type: 'binary', values: digest('md5', body) }],
    [sigTag.payloadSize, int32(archive.length)],
  ]);
  return Buffer.concat([lead(rpm), signature, padding(signature.length, 8), body]);
}

function mainTags(rpm: PackageToWrite, payload: Uint8Array): Tags {
  const { files, requires, name, version, release } = rpm;
  const isSource = rpm.sourceRpm === null;
  const tags: (readonly [number, Tags[number][1]])[] = [
    [100, texts('C')],
    [rpmTag.name, text(name)],
    [rpmTag.version, text(version)],
    [rpmTag.release, text(release)],
    [rpmTag.summary, { type: 'i18n', values: [rpm.summary] }],
    [rpmTag.description, { type: 'i18n', values: [rpm.summary] }],
    [rpmTag.buildTime, int32(rpm.builtTs)],
    [rpmTag.buildHost, text('localhost')],
    [rpmTag.size, int32(files.reduce((sum, file) => sum + sizeOf(file), 0))],
    [rpmTag.license, text('Apache-2.0')],
    [rpmTag.group, { type: 'i18n', values: ['Unspecified'] }],
    [1021, text('linux')],
    [rpmTag.arch, text(rpm.arch)],
    ...(isSource
      ? ([[rpmTag.sourcePackage, int32(1)]] as const)
      : ([[rpmTag.sourceRpm, text(rpm.sourceRpm ?? '')]] as const)),
    ...(rpm.preIn === undefined
      ? []
      : ([
          [rpmTag.preIn, text(rpm.preIn)],
          [1085, text('/bin/sh')],
        ] as const)),
    ...(isSource
      ? []
      : ([
          [rpmTag.provideName, texts(name)],
          [rpmTag.provideFlags, int32(8)],
          [rpmTag.provideVersion, texts(`${version}-${release}`)],
        ] as const)),
    ...(requires.length === 0
      ? []
      : ([
          [rpmTag.requireFlags, int32(...requires.map(() => 0))],
          [rpmTag.requireName, texts(...requires)],
          [rpmTag.requireVersion, texts(...requires.map(() => ''))],
        ] as const)),
    [1124, text('cpio')],
    [1125, text('gzip')],
    [1126, text('1')],
    [5092, texts(digest('sha256', payload).toString('hex'))],
    [5093, int32(sha256)],
    ...(files.length === 0 ? [] : fileTags(files, rpm.builtTs)),
  ];
  // rpm looks tags up by halving.
  return tags.toSorted(([a], [b]) => a - b);
}

function fileTags(files: readonly PackedFile[], builtTs: number): Tags {
  const directories = [...new Set(files.map(({ path }) => directoryOf(path)))];
  const each = <T>(value: (file: PackedFile, index: number) => T): readonly T[] => files.map(value);
  const hasCapabilities = files.some(({ capabilities }) => capabilities !== undefined);
  return [
    [rpmTag.fileSizes, int32(...each(sizeOf))],
    [rpmTag.fileModes, int16(...each(fullMode))],
    [rpmTag.fileRdevs, int16(...each(() => 0))],
    [rpmTag.fileMtimes, int32(...each(() => builtTs))],
    [
      rpmTag.fileDigests,
      texts(...each((file) => (file.kind === 'file' ? digest('sha256', file.content).toString('hex') : ''))),
    ],
    [rpmTag.fileLinkTos, texts(...each((file) => (file.kind === 'link' ? file.content : '')))],
    [rpmTag.fileFlags, int32(...each(({ mayChange }) => (mayChange === true ? configFile : 0)))],
    [rpmTag.fileUserName, texts(...each(({ user = 'root' }) => user))],
    [rpmTag.fileGroupName, texts(...each(({ group = 'root' }) => group))],
    [rpmTag.fileVerifyFlags, int32(...each(({ mayChange }) => (mayChange === true ? 0 : 0xffff_ffff)))],
    [rpmTag.fileDevices, int32(...each(() => 1))],
    [rpmTag.fileInodes, int32(...each((_file, index) => index + 1))],
    [rpmTag.fileLangs, texts(...each(() => ''))],
    [rpmTag.dirIndexes, int32(...each(({ path }) => directories.indexOf(directoryOf(path))))],
    [1117, texts(...each(({ path }) => path.slice(path.lastIndexOf('/') + 1)))],
    [1118, texts(...directories)],
    ...(hasCapabilities ? ([[5010, texts(...each(({ capabilities = '' }) => capabilities))]] as const) : []),
    [5011, int32(sha256)],
  ];
}

/** cpio as `newc`, which rpm's payloads are. */
function toCpio(files: readonly PackedFile[], builtTs: number): Buffer {
  const parts: Uint8Array[] = [];
  const add = (name: string, mode: number, inode: number, content: Uint8Array) => {
    const hex = (value: number) => value.toString(16).padStart(8, '0');
    const nameBytes = Buffer.from(`${name}\0`);
    const fields = [inode, mode, 0, 0, 1, builtTs, content.length, 0, 0, 0, 0, nameBytes.length, 0];
    const head = Buffer.concat([Buffer.from(`070701${fields.map(hex).join('')}`), nameBytes]);
    parts.push(head, padding(head.length, 4), content, padding(content.length, 4));
  };
  files.forEach((file, index) => {
    const content = file.kind === 'directory' ? new Uint8Array() : file.content;
    add(file.path.startsWith('/') ? `.${file.path}` : file.path, fullMode(file), index + 1, content);
  });
  add('TRAILER!!!', 0, 0, new Uint8Array());
  return Buffer.concat(parts);
}

/** The tags in a region, which is what the digests of a header are about. */
function withRegion(region: number, tags: Tags): Buffer {
  const { index, store } = layOutTags(tags);
  const entry: IndexEntry = { tag: region, type: binaryType, offset: store.length, count: 16 };
  const trailer = toEntryBytes({ ...entry, offset: -16 * (index.length + 1) });
  return toHeader([entry, ...index], Buffer.concat([store, trailer]));
}

function lead({ name, version, release, sourceRpm }: PackageToWrite): Buffer {
  const bytes = Buffer.alloc(96);
  bytes.write('edabeedb0300', 'hex');
  bytes.writeUInt16BE(sourceRpm === null ? 1 : 0, 6);
  bytes.writeUInt16BE(1, 8);
  bytes.write(`${name}-${version}-${release}`.slice(0, 65), 10);
  bytes.writeUInt16BE(1, 76);
  bytes.writeUInt16BE(5, 78);
  return bytes;
}

function fullMode({ kind, mode }: PackedFile): number {
  return typeBits[kind] | mode;
}

function sizeOf({ kind, content }: PackedFile): number {
  return kind === 'directory' ? 4096 : content.length;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function digest(algorithm: 'sha1' | 'sha256' | 'md5', bytes: Uint8Array): Buffer {
  return createHash(algorithm).update(bytes).digest();
}

function padding(length: number, to: number): Buffer {
  return Buffer.alloc((to - (length % to)) % to);
}
