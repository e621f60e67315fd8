import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import type { PackedFile } from '../../rpm/rpm-file.ts';

/** What the scripts of a buildroot and of the trial call; a program that the image has not is left out. */
const programs = [
  ...['bash', 'sh', 'ldd', 'rpm', 'rpmbuild', 'rpmspec', 'useradd', 'groupadd', 'setarch'],
  ...['grep', 'sed', 'awk', 'find', 'xargs', 'tar', 'gzip'],
  ...[
    'basename',
    'cat',
    'chgrp',
    'chmod',
    'chown',
    'cp',
    'cut',
    'date',
    'dirname',
    'env',
    'expr',
    'false',
    'head',
    'id',
  ],
  ...[
    'install',
    'ln',
    'ls',
    'mkdir',
    'mktemp',
    'mv',
    'readlink',
    'rm',
    'rmdir',
    'seq',
    'sleep',
    'sort',
    'stat',
    'tail',
  ],
  ...['test', 'touch', 'tr', 'true', 'uname', 'wc'],
];

/** What these read; paths may be patterns of the shell. */
const trees = [
  ...[
    '/usr/lib/rpm',
    '/etc/rpm',
    '/usr/lib/locale/C.utf8',
    '/usr/lib/file',
    '/usr/share/file',
    '/usr/share/misc/magic*',
  ],
  ...['/lib*/libnss_files.so*', '/lib/*/libnss_files.so*'],
];

/** Directories that are links where `/usr` is merged. */
const mergedDirectories = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/usr/sbin', '/usr/lib64'];

/**
 * Runs in the bootstrap image: puts its programs, with the libraries that they are linked with, into
 * `/adjutant/out/files.tar`. Prints `name=value` lines: `token`, `boot` (the kernel's boot id), `rpm` (its version), and
 * `lacks` for each program that is not there.
 */
export function packScript(token: string): string {
  return `#!/bin/bash
exec 2>&1 </dev/null
set -u
umask 022
cd /
echo token=${token}
echo "boot=$(cat /proc/sys/kernel/random/boot_id)"
echo "rpm=$(rpm --version)"
declare -A seen
paths=()
# A path as it is with no link above it, and, where it is a link itself, what that leads to.
add() {
  local path=$1 real target
  while [ -e "$path" ]; do
    cd -P "\${path%/*}/" || return
    real=\${PWD%/}/\${path##*/}
    [ -z "\${seen[$real]-}" ] || return 0
    seen[$real]=1
    paths+=("\${real#/}")
    [ -L "$real" ] || return 0
    target=$(readlink "$real")
    case $target in /*) path=$target ;; *) path=\${real%/*}/$target ;; esac
  done
}
found=()
for name in ${programs.join(' ')}; do
  if program=$(type -P "$name"); then found+=("$program"); else echo "lacks=$name"; fi
done
for program in "\${found[@]}"; do add "$program"; done
while read -r library; do add "$library"; done < <(ldd "\${found[@]}" 2>/dev/null | grep -o '/[^ :)]*' | sort -u)
shopt -s nullglob
for tree in ${trees.join(' ')}; do add "$tree"; done
for directory in ${mergedDirectories.join(' ')}; do [ ! -L "$directory" ] || paths+=("\${directory#/}"); done
cd /
printf '%s\\n' "\${paths[@]}" >/tmp/paths
tar --numeric-owner -cf /adjutant/out/files.tar -T /tmp/paths
`;
}

/** What `packScript` has said. */
export interface PackedImage {
  readonly token: string | null;
  readonly bootId: string | null;
  readonly rpm: string;
  readonly lacks: readonly string[];
}

/** Reads the output of `packScript`; other lines are the programs' own. */
export function parsePacked(output: string): PackedImage {
  const values = (name: string) =>
    output.split('\n').flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
  return {
    token: values('token')[0] ?? null,
    bootId: values('boot')[0] ?? null,
    rpm: values('rpm')[0] ?? '',
    lacks: values('lacks'),
  };
}

/** The entries of the archive as files of a package, each once. */
export async function readPackedFiles(path: string): Promise<readonly PackedFile[]> {
  const files = new Map<string, PackedFile>();
  const archive = extract();
  const reading = createReadStream(path);
  reading.pipe(archive);
  reading.once('error', (error) => archive.destroy(error));
  for await (const entry of archive) {
    const { name, type, mode = 0, linkname } = entry.header;
    const at = `/${name.replace(/\/+$/, '')}`;
    const content = await buffer(entry);
    const first = type === 'link' ? files.get(`/${linkname ?? ''}`) : undefined;
    if (first !== undefined) files.set(at, { ...first, path: at });
    else if (type === 'file') files.set(at, { path: at, kind: 'file', mode, content });
    else if (type === 'directory')
      files.set(at, { path: at, kind: 'directory', mode, content: Buffer.alloc(0) });
    else if (type === 'symlink')
      files.set(at, { path: at, kind: 'link', mode: 0o777, content: Buffer.from(linkname ?? '') });
  }
  if (!reading.closed) await once(reading, 'close');
  return [...files.values()];
}
