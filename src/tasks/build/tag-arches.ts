import { faultCodes } from '../../core/koji-faults.ts';
import { isPythonTrue } from '../../core/python-truth.ts';
import type { TagInfo } from '../../hub/api/schema.ts';
import type { TagArches } from '../../rpm/build-arches.ts';
import { TaskFault } from '../errors.ts';

/** The part of a tag's build configuration that decides about arches. Throws `TaskFault` for `noarch_arches` that is no text. */
export function tagArches({ id, name, arches, extra }: TagInfo): TagArches {
  return { id, name, arches: arches.join(' '), noarchArches: readNoarchArches(name, extra['noarch_arches']) };
}

function readNoarchArches(tag: string, value: unknown): string | null {
  if (!isPythonTrue(value)) return null;
  if (typeof value === 'string') return value;
  throw new TaskFault(
    faultCodes.generic,
    'request',
    `tag extra noarch_arches of ${tag}: must be arches separated by blanks, such as "x86_64 aarch64"`,
  );
}
