import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

// Never the synchronous one: the hub lives in this process.
const run = promisify(execFile);

/**
 * What a root takes without containers: this host's own dnf with a warm cache fills an installroot. In milliseconds;
 * the first call warms the cache.
 */
export async function installWithDnf(
  directory: string,
  repoUrl: string,
  wanted: readonly string[],
): Promise<number> {
  const root = join(directory, 'root');
  await rm(root, { recursive: true, force: true });
  await mkdir(join(directory, 'logs'), { recursive: true });
  const config = join(directory, 'dnf.conf');
  const main = ['reposdir=/dev/null', 'gpgcheck=0', 'keepcache=1', 'install_weak_deps=0', 'assumeyes=1'];
  await writeFile(config, ['[main]', ...main, '[build]', 'name=build', `baseurl=${repoUrl}`, ''].join('\n'));
  const options = [
    ...['-c', config, `--installroot=${root}`, '--releasever=1', '--disableplugin=*'],
    ...[`--setopt=cachedir=${directory}/cache`, `--setopt=logdir=${directory}/logs`],
  ];
  const startedMs = performance.now();
  await run('dnf', [...options, 'install', ...wanted], { maxBuffer: 2 ** 24 });
  const tookMs = performance.now() - startedMs;
  await rm(root, { recursive: true, force: true });
  return tookMs;
}

/**
 * The least a fresh root can take: an overlay on the layers of an image is mounted and a program run in it, in
 * milliseconds. Needs root.
 */
export async function mountAndEnter(socket: string, image: string): Promise<number> {
  const inspect = ['--url', `unix://${socket}`, 'image', 'inspect', '--format'];
  const layers = '{{.GraphDriver.Data.UpperDir}}:{{with .GraphDriver.Data.LowerDir}}{{.}}{{end}}';
  const { stdout: found } = await run('podman', [...inspect, layers, image]);
  const lower = found.trim().replace(/:(<no value>)?$/, '');
  const script = `
    place=$(mktemp -d "$1/bench.XXXXXX"); mkdir "$place"/{upper,work,root}
    started=\${EPOCHREALTIME/./}
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$place/upper,workdir=$place/work" "$place/root"
    chroot "$place/root" /bin/true
    ended=\${EPOCHREALTIME/./}
    umount "$place/root"; rm -rf "$place"
    echo $(((ended - started) / 1000))`;
  const storage = join(lower.split(':')[0] ?? '', '../../..');
  return Number((await run('bash', ['-ec', script, 'bash', storage, lower])).stdout);
}
