import { int32, type Tags, text, texts, toHeaderBytes, toRpmBytes } from './rpm-bytes.ts';

export interface SourceRpm {
  readonly name?: string;
  readonly version?: string;
  readonly release?: string;
  readonly requires?: readonly string[];
  readonly buildArchs?: readonly string[];
  readonly exclusiveArch?: readonly string[];
  readonly excludeArch?: readonly string[];
  /** Its files; one spec unless it is said otherwise. */
  readonly files?: readonly string[];
  /** When its files were made, in seconds since the epoch; without it they have no time. */
  readonly madeTs?: number;
  /** Vendor, packager and distribution, which a build system sets. */
  readonly branded?: boolean;
  /** Makes it a binary package of this source package. */
  readonly builtFrom?: string;
}

const list = (tag: number, values: readonly string[] = []): Tags =>
  values.length === 0 ? [] : [[tag, texts(...values)]];

/** The bytes of a package that is all header: `hello-1.0-1` unless it is said otherwise. */
export function toSourceRpm(rpm: SourceRpm = {}): Buffer {
  const { name = 'hello', version = '1.0', release = '1', requires = [], branded = true, builtFrom } = rpm;
  const { files = [`${name}.spec`] } = rpm;
  const tags: Tags = [
    [1000, text(name)],
    [1001, text(version)],
    [1002, text(release)],
    ...(branded
      ? ([
          [1010, text('Dist')],
          [1011, text('Vendor')],
          [1015, text('Packager')],
        ] as Tags)
      : []),
    [1022, text(builtFrom === undefined ? 'x86_64' : 'noarch')],
    [builtFrom === undefined ? 1106 : 1044, builtFrom === undefined ? int32(1) : text(builtFrom)],
    ...(requires.length === 0 ? [] : ([[1048, int32(...requires.map(() => 0))]] as Tags)),
    ...list(1049, requires),
    ...(requires.length === 0
      ? []
      : list(
          1050,
          requires.map(() => ''),
        )),
    ...list(1059, rpm.excludeArch),
    ...list(1061, rpm.exclusiveArch),
    ...list(1089, rpm.buildArchs),
    ...(rpm.madeTs === undefined ? [] : ([[1034, int32(...files.map(() => rpm.madeTs ?? 0))]] as Tags)),
    ...(files.length === 0 ? [] : ([[1116, int32(...files.map(() => 0))]] as Tags)),
    ...list(1117, files),
    ...(files.length === 0 ? [] : list(1118, [''])),
  ];
  return toRpmBytes(
    toHeaderBytes([[1004, { type: 'binary', values: Buffer.alloc(16) }]]),
    toHeaderBytes(tags),
  );
}
