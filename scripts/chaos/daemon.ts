import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { never } from '../../src/core/never.ts';
import { DaemonProcess } from '../../src/demo/daemon-process.ts';

/** Chaos makes load by itself. */
const idleHost = join(import.meta.dirname, '../../test/support/idle-host.ts');
/**
 * What the daemon is started with for our purposes. At SIGUSR2 it collects its garbage and writes how many bytes are in
 * use. Its clock is set by as many milliseconds as stand in a file; it looks at its start and at SIGWINCH.
 */
const preload =
  'data:text/javascript,import fs from "node:fs";' +
  'process.on("SIGUSR2",()=>{gc();const m=process.memoryUsage();' +
  'fs.writeFileSync(process.env.CHAOS_MEMORY_FILE,(m.heapUsed+m.external)+" bytes")});' +
  'const now=Date.now;let by=0;const look=()=>{try{by=Number(fs.readFileSync(process.env.CHAOS_CLOCK_FILE,"utf8"))}catch{}};' +
  'look();process.on("SIGWINCH",look);const D=Date;' +
  'globalThis.Date=class extends D{constructor(...a){if(a.length===0)super(now()+by);else super(...a)}static now(){return now()+by}};';
/** Codes that say: do not start me again. */
const final = [78, 2];

/** The daemon as a service manager would keep it: started again whenever it ends, until it is told to stop. */
export class KeptDaemon {
  readonly #directory: string;
  readonly #cli: string;
  #daemon: DaemonProcess;
  #stopping = false;
  #kept: Promise<void>;
  starts = 0;
  /** When the last one was started, in milliseconds since the epoch. */
  startedMs = 0;
  /** How those that have ended did so: exit codes and signals. */
  readonly codes: (number | string)[] = [];
  /** Why it cannot be kept, once that is known. */
  failure: string | null = null;

  /** `cli` is what Node.js runs: the daemon's source, or what was built from it. */
  constructor(directory: string, cli: string) {
    this.#directory = directory;
    this.#cli = cli;
    this.#daemon = this.#spawn();
    this.#kept = this.#keep();
  }

  /** SIGKILL; the next one is started at once. */
  kill(): void {
    this.#daemon.signal('SIGKILL');
  }

  /** Sets the clock, as this and later daemons see it, so much away from the machine's. */
  setClock(byMs: number): void {
    writeFileSync(this.#clockFile, String(byMs));
    this.#daemon.signal('SIGWINCH');
  }

  /** SIGUSR1: it ends when its tasks have, and is started again. */
  drain(): void {
    this.#daemon.signal('SIGUSR1');
  }

  get #clockFile(): string {
    return join(this.#directory, 'clock');
  }

  get #memoryFile(): string {
    return join(this.#directory, 'memory');
  }

  /** Asks it to stop, and waits until it has. */
  async stop(): Promise<number | string> {
    this.#stopping = true;
    const code = await this.#daemon.stop(90_000);
    await this.#kept;
    return code;
  }

  /** Stops it for as long as something is done; gives how it ended. */
  async stopFor(work: () => void): Promise<number | string> {
    const code = await this.stop();
    work();
    this.#stopping = false;
    this.#daemon = this.#spawn();
    this.#kept = this.#keep();
    return code;
  }

  /** SIGKILL, and the next one is started when something is done. */
  async killFor(work: () => Promise<void>): Promise<void> {
    this.#stopping = true;
    this.kill();
    await this.#kept;
    try {
      await work();
    } finally {
      this.#stopping = false;
      this.#daemon = this.#spawn();
      this.#kept = this.#keep();
    }
  }

  /** Open descriptors and resident bytes. */
  usage(): { readonly descriptors: number; readonly rssBytes: number } | null {
    try {
      const place = `/proc/${this.#daemon.pid}`;
      const status = readFileSync(join(place, 'status'), 'utf8');
      const rss = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      return { descriptors: readdirSync(join(place, 'fd')).length, rssBytes: Number(rss) * 1024 };
    } catch {
      // It has just ended.
      return null;
    }
  }

  /** Bytes in use after a garbage collection. */
  async liveBytes(): Promise<number> {
    rmSync(this.#memoryFile, { force: true });
    this.#daemon.signal('SIGUSR2');
    for (;;) {
      const text = existsSync(this.#memoryFile) ? readFileSync(this.#memoryFile, 'utf8') : '';
      if (text.endsWith(' bytes')) return Number.parseInt(text, 10);
      await systemClock.sleep(20, never);
    }
  }

  async #keep(): Promise<void> {
    for (;;) {
      const code = await this.#daemon.ended;
      this.codes.push(code);
      if (this.#stopping) return;
      if (typeof code === 'number' && final.includes(code)) {
        this.failure = `the daemon has ended with ${code}:\n${this.#daemon.logEnd()}`;
        return;
      }
      await systemClock.sleep(200, never);
      this.#daemon = this.#spawn();
    }
  }

  #spawn(): DaemonProcess {
    this.starts += 1;
    this.startedMs = systemClock.now();
    return new DaemonProcess({
      command: [process.execPath, '--expose-gc', '--import', idleHost, '--import', preload, this.#cli],
      configPath: join(this.#directory, 'kojid.conf'),
      logPath: join(this.#directory, 'log'),
      env: {
        ...withoutTestVariables(process.env),
        CHAOS_MEMORY_FILE: this.#memoryFile,
        CHAOS_CLOCK_FILE: this.#clockFile,
      },
      clock: systemClock,
    });
  }
}

/** What describes the surroundings of tests would be taken for options that do not exist. */
export function withoutTestVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KOJI_ADJUTANT_TEST_')));
}
