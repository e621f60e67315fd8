import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchHost } from './bench-host.ts';

// Never the synchronous one: the hub lives in this process.
const run = promisify(execFile);

export interface SrpmChanges {
  /** Further BuildRequires. */
  readonly requires?: readonly string[];
  /** How long %check sleeps at its end, in seconds. */
  readonly sleepSeconds?: number;
}

/** Makes source packages of hello, each with a release and its own changelog, so that it is new to every cache. */
export class FreshSrpms {
  readonly #host: BenchHost;
  readonly #top: string;
  readonly #signal: AbortSignal;
  #release = 1;

  /** `top`: a directory for rpmbuild. */
  constructor(host: BenchHost, top: string, signal: AbortSignal) {
    this.#host = host;
    this.#top = top;
    this.#signal = signal;
  }

  /** Makes the next one, uploads it and gives its place on the hub. */
  async upload({ requires = [], sleepSeconds = 0 }: SrpmChanges = {}): Promise<string> {
    this.#release += 1;
    const defines = ['--define', `_topdir ${this.#top}`, '--define', 'dist .td1'];
    await mkdir(this.#top, { recursive: true });
    const hello = join(this.#host.distribution, 'srpms/hello-1.0-1.td1.src.rpm');
    await run('rpm', ['-i', ...defines, hello]);
    const path = join(this.#top, 'SPECS/hello.spec');
    const spec = (await readFile(path, 'utf8'))
      .replace(/^Release:.*/m, `Release: ${this.#release}%{?dist}`)
      .replace(
        /^%description$/m,
        `${requires.map((name) => `BuildRequires: ${name}\n`).join('')}%description`,
      )
      .replace(/^%files$/m, `sleep ${sleepSeconds}\n\n%files`)
      .replace(/^%changelog(.|\n)*/m, '');
    const day = new Date().toUTCString().replace(/^(\w+), (\d+) (\w+) (\d+).*/, '$1 $3 $2 $4');
    const changelog = `\n%changelog\n* ${day} Bench <bench@example.com> - 1.0-${this.#release}\n- ${crypto.randomUUID()}\n`;
    await writeFile(path, spec + changelog);
    await run('rpmbuild', ['-bs', '--nodeps', '--quiet', ...defines, path]);
    const made = join(this.#top, `SRPMS/hello-1.0-${this.#release}.td1.src.rpm`);
    return this.#host.client.uploadFile(made, `cli-build/${crypto.randomUUID()}`, this.#signal);
  }
}
