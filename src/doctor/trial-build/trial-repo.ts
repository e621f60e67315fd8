import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileNameOf, type PackageToWrite, type PackedFile, writeRpm } from '../../rpm/rpm-file.ts';
import {
  addedScriptlet,
  groupScriptlet,
  standIn,
  trialName,
  trialScript,
  trialSpecFile,
} from './trial-scripts.ts';

/** The group of packages that the trial's root starts from. */
export const trialGroup = 'build';

const names = {
  base: `${trialName}-base`,
  scriptlet: `${trialName}-scriptlet`,
  extra: `${trialName}-extra`,
} as const;

/** What is in the group, and what only the build requires. */
export const groupPackages = [names.base, names.scriptlet];
export const requiredPackages = [names.extra];

/** `comps.xml` of the repo. */
export const comps = `<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>${trialGroup}</id><name>${trialGroup}</name><description/><default>true</default><uservisible>true</uservisible>
<packagelist>${groupPackages.map((name) => `<packagereq type="mandatory">${name}</packagereq>`).join('')}</packagelist></group></comps>
`;

const origin = { version: '1', release: '1', builtTs: 1_700_000_000 } as const;

function file(path: string, content: string, mode = 0o644, more: Partial<PackedFile> = {}): PackedFile {
  return { path, kind: 'file', mode, content: Buffer.from(content), ...more };
}

/** The packages of the trial's repo, from the files that were packed out of the bootstrap image. */
export function repoPackages(packed: readonly PackedFile[], hasRpmbuild: boolean): readonly PackageToWrite[] {
  const owner = { user: trialName, group: trialName };
  const place = `/usr/share/${trialName}`;
  const common = { ...origin, arch: 'noarch', sourceRpm: `${trialName}-1-1.src.rpm` };
  return [
    {
      ...common,
      name: names.base,
      summary: "The bootstrap image's shell, rpm and what they need",
      requires: [],
      files: [
        ...packed,
        ...(hasRpmbuild ? [] : [file('/usr/bin/rpmbuild', standIn, 0o755)]),
        file('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n', 0o644, { mayChange: true }),
        file('/etc/group', 'root:x:0:\n', 0o644, { mayChange: true }),
      ],
    },
    {
      ...common,
      name: names.scriptlet,
      summary: 'Files as distributions have them, and a scriptlet',
      requires: [names.base],
      preIn: groupScriptlet,
      files: [
        { ...owner, path: place, kind: 'directory', mode: 0o2775, content: Buffer.alloc(0) },
        file(`${place}/owned`, 'owned by a user that a scriptlet has made\n', 0o644, owner),
        file(`${place}/setuid`, '#!/bin/sh\n', 0o4755),
        file(`${place}/capable`, '#!/bin/sh\n', 0o755, { capabilities: 'cap_net_raw=p' }),
      ],
    },
    {
      ...common,
      name: names.extra,
      summary: 'What the build requires',
      requires: [names.scriptlet],
      preIn: addedScriptlet,
      files: [file(`${place}/extra`, 'added to a snapshot\n')],
    },
  ];
}

/**
 * A source package whose build runs this script. Where the root has no rpmbuild but a stand-in, the binary package comes
 * with the sources. `arch`: of that.
 */
export async function sourcePackage(script: string, hasRpmbuild: boolean, arch: string): Promise<Buffer> {
  const built = { ...origin, name: trialName, arch, summary: 'What koji-adjutant doctor builds' };
  const binary: PackageToWrite = {
    ...built,
    sourceRpm: `${trialName}-1-1.src.rpm`,
    requires: [],
    files: [file(`/usr/share/${trialName}/built`, 'built\n')],
  };
  const sources = [
    file(`${trialName}.spec`, trialSpecFile(requiredPackages)),
    file('trial.sh', script),
    ...(hasRpmbuild
      ? []
      : [{ path: fileNameOf(binary), kind: 'file' as const, mode: 0o644, content: await writeRpm(binary) }]),
  ];
  return writeRpm({ ...built, sourceRpm: null, requires: requiredPackages, files: sources });
}

/** The script of the build that has to succeed. */
export const goodScript = trialScript([...groupPackages, ...requiredPackages]);

/** Writes packages and groups into a directory, which is made; `createrepo_c` makes a repo of it. */
export async function writeRepo(directory: string, packages: readonly PackageToWrite[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'comps.xml'), comps);
  for (const each of packages) await writeFile(join(directory, fileNameOf(each)), await writeRpm(each));
}
