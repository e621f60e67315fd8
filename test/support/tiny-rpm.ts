import { createHash } from 'node:crypto';
import { int32, type Tags, text, toHeaderBytes, toRpmBytes } from './rpm-bytes.ts';

export interface TinyRpm {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly arch: string;
  /** File name of the source package; null makes a source package. */
  readonly sourceRpm: string | null;
  readonly summary?: string;
  /** The newest first; times in seconds since the epoch. */
  readonly changelog?: readonly { readonly time: number; readonly author: string; readonly text: string }[];
}

/** An RPM without files, sound enough for rpm itself and for a hub. */
export function toTinyRpm(rpm: TinyRpm): Buffer {
  const origin: Tags[number] = rpm.sourceRpm === null ? [1106, int32(1)] : [1044, text(rpm.sourceRpm)];
  const { changelog = [] } = rpm;
  const changes: Tags =
    changelog.length === 0
      ? []
      : [
          [1080, int32(...changelog.map(({ time }) => time))],
          [1081, { type: 'strings', values: changelog.map(({ author }) => author) }],
          [1082, { type: 'strings', values: changelog.map(({ text: said }) => said) }],
        ];
  const main = toHeaderBytes([
    [1000, text(rpm.name)],
    [1001, text(rpm.version)],
    [1002, text(rpm.release)],
    [1004, { type: 'i18n', values: [rpm.summary ?? 'A package without files'] }],
    [1006, int32(1_700_000_000)],
    [1009, int32(0)],
    [1014, text('MIT')],
    [1021, text('linux')],
    [1022, text(rpm.arch)],
    ...changes,
    origin,
  ]);
  const payload = Buffer.from('no files');
  const md5 = createHash('md5').update(main).update(payload).digest();
  return toRpmBytes(toHeaderBytes([[1004, { type: 'binary', values: md5 }]]), main, payload);
}
