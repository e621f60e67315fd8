import { readFile, writeFile } from 'node:fs/promises';

/** Shell of a build that says which of the things it has that a site file can open; `device` gives zeros. */
export function siteProbe(device: string): string {
  return `
test "$(head -c 2 ${device} | od -An -tx1)" = " 00 00" && echo has device
test "$(cat /opt/share/key)" = signed && echo has mount
touch /opt/share/x 2>/dev/null && echo has writable
test "$(stat -f -c %T /scratch)" = tmpfs && touch /scratch/x && echo has tmpfs
test "$(ulimit -n)" = 77 && echo has ulimit
test "$(df --output=size /dev/shm | tail -1 | tr -d ' ')" = 8192 && echo has shm
ln -s a b || echo has seccomp
grep -q '^CapEff:.0*$' /proc/self/status && grep -q '^NoNewPrivs:.1$' /proc/self/status && echo sealed
test "$(ls /sys/class/net)" = lo && echo offline
echo done`;
}

/** What the probe has found, by its build.log. */
export function foundBy(log: string): readonly string[] {
  return [...log.matchAll(/^(?:has (\S+)|sealed|offline)$/gm)].map(([line, word]) => word ?? line);
}

/** All that the probe looks for, as a site file opens it, but for the mount to be read only. */
export function openedForProbe(places: { device: string; share: string; profile: string }): object {
  return {
    devices: [places.device],
    mounts: [{ source: places.share, target: '/opt/share' }],
    tmpfs: [{ target: '/scratch', size: '4M' }],
    ulimits: { nofile: 77 },
    shm_size: '8M',
    seccomp: places.profile,
  };
}

/** The engine's profile, under which nobody can make a link. */
export async function writeProfile(path: string): Promise<void> {
  const engine = JSON.parse(await readFile('/usr/share/containers/seccomp.json', 'utf8'));
  const names = ['symlink', 'symlinkat'];
  engine.syscalls = [
    { names, action: 'SCMP_ACT_ERRNO', errnoRet: 38, args: [] },
    ...engine.syscalls.map((rule: { names: string[] }) => ({
      ...rule,
      names: rule.names.filter((name) => !names.includes(name)),
    })),
  ];
  await writeFile(path, JSON.stringify(engine));
}
