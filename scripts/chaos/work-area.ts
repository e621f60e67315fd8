import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/** A file system of its own for the work area of a daemon, which can be full. Needs root; others get a directory. */
export class WorkArea {
  readonly path: string;
  readonly #mounted: boolean;
  /** An image of the file system in a file; null for one in memory. */
  readonly #image: string | null;

  private constructor(path: string, image: string | null) {
    this.path = path;
    this.#image = image;
    this.#mounted = process.getuid?.() === 0;
    mkdirSync(path);
  }

  static inMemory(path: string, sizeMb: number): WorkArea {
    const area = new WorkArea(path, null);
    if (area.#mounted)
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=755`, 'chaos', path]);
    return area;
  }

  /** One that becomes read-only when it is damaged, as disks do. For root. */
  static onDisk(path: string, sizeMb: number): WorkArea {
    const image = `${path}.img`;
    execFileSync('truncate', ['-s', `${sizeMb}M`, image]);
    execFileSync('mkfs.ext4', ['-q', image]);
    const area = new WorkArea(path, image);
    area.#mountImage();
    return area;
  }

  /** From now on it is read-only. For one on disk. */
  damage(): void {
    const line = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .find((each) => each.split(' ')[1] === this.path);
    writeFileSync(join('/sys/fs/ext4', basename(line?.split(' ')[0] ?? ''), 'trigger_fs_error'), '1');
  }

  /** Mends what `damage` has done. It must not be in use. */
  mend(): void {
    execFileSync('umount', [this.path]);
    // It says by 1 that it has mended something.
    spawnSync('e2fsck', ['-f', '-y', this.#image ?? '']);
    this.#mountImage();
  }

  #mountImage(): void {
    execFileSync('mount', ['-o', 'loop,errors=remount-ro', this.#image ?? '', this.path]);
  }

  /** Writes until there is no room; false where the file system is not our own. */
  fill(): boolean {
    if (!this.#mounted) return false;
    const file = openSync(join(this.path, 'ballast'), 'a');
    const block = Buffer.alloc(1024 * 1024);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      closeSync(file);
    }
    return true;
  }

  empty(): void {
    rmSync(join(this.path, 'ballast'), { force: true });
  }

  /** Directories of tasks, mounts below the area, and monitors of containers that write there. */
  leftovers(): string[] {
    const tasks = join(this.path, 'adjutant', 'tasks');
    const names = existsSync(tasks) ? readdirSync(tasks, { recursive: true }).map(String) : [];
    const mounts = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.split(' ')[1]?.startsWith(`${this.path}/`));
    return [
      ...names.filter((name) => /^\d+\/\d+$/.test(name)).map((name) => `task directory ${name}`),
      ...mounts.map((line) => `mount ${line.split(' ')[1]}`),
      ...this.#monitors(),
    ];
  }

  #monitors(): string[] {
    const log = `k8s-file:${this.path}/`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => wordsOf(pid).some((word) => word.startsWith(log)))
      .map((pid) => `monitor ${pid} of ${wordsOf(pid).find((word) => word.startsWith(log))}`);
  }

  /** Also when something is left that uses it: that has been told by then. */
  remove(): void {
    if (this.#mounted) execFileSync('umount', ['--lazy', this.path]);
    rmSync(this.path, { recursive: true });
    if (this.#image !== null) rmSync(this.#image);
  }
}

function wordsOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has just ended.
    return [];
  }
}
