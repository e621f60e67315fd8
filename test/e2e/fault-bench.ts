import { existsSync, readdirSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { DevChaosHub } from '../../scripts/chaos/dev-hub.ts';
import type { ContainerEvent } from '../../scripts/chaos/engine.ts';
import { surroundingsOf } from '../../scripts/chaos/surroundings.ts';
import { World, type WorldOptions } from '../../scripts/chaos/world.ts';
import { taskState } from '../../src/devhub/rows.ts';
import type { PassingCall } from '../support/faulty-proxy.ts';
import { childOf } from './builder.ts';
import { allNumbers, countedIn, countingSpec } from './counting.ts';
import { makeSrpm } from './surroundings.ts';

/** How long something that has to come may take on a busy machine. */
export const inTime = { timeout: 120_000, interval: 100 };

/** How far the package counts that is built here: for about four seconds. */
const numbers = 40;

/** A daemon that is kept alive, on a host whose parts can be made to fail at chosen moments of a build. */
export class FaultBench {
  readonly world: World;
  readonly #counting: string;
  readonly #happenings: Happenings;

  private constructor(world: World, counting: string, happenings: Happenings) {
    this.world = world;
    this.#counting = counting;
    this.#happenings = happenings;
  }

  static async open(options: Pick<WorldOptions, 'openArea' | 'settings'> = {}): Promise<FaultBench> {
    const surroundings = surroundingsOf(process.env);
    const happenings: Happenings = { onContainer: null, onCall: null };
    let counting = '';
    const world = await World.open(surroundings, {
      async openHub(place) {
        counting = await makeSrpm(place, 'counting', countingSpec(numbers));
        return DevChaosHub.open(place, surroundings.distribution);
      },
      withRepo: true,
      ...options,
      rules: {
        async onRequest(call) {
          await happenings.onCall?.(call);
          return null;
        },
      },
      onEvent: (event) => void happenings.onContainer?.(event),
    });
    return new FaultBench(world, counting, happenings);
  }

  /** Asks for the build of the package that counts. */
  submit(): Promise<number> {
    return this.world.submitBuild(this.#counting);
  }

  /** Does something, once, when a container of this phase comes to this pass. */
  atContainer(phase: string, status: string, strike: () => unknown): void {
    const onContainer = async (event: ContainerEvent) => {
      if (event.phase !== phase || event.status !== status) return;
      // A source package is built, too.
      if (phase === 'build' && (await this.world.tree(event.taskId)).method !== 'buildArch') return;
      if (this.#happenings.onContainer !== onContainer) return;
      this.#happenings.onContainer = null;
      strike();
    };
    this.#happenings.onContainer = onContainer;
  }

  /** Does something, once, when the first package is being fetched; there must be none. */
  atFetch(strike: () => unknown): void {
    const place = this.place('cache/packages');
    const isBegun = () =>
      existsSync(place) &&
      readdirSync(place, { recursive: true, withFileTypes: true }).some((each) => each.isFile());
    void expect
      .poll(isBegun, { ...inTime, interval: 5 })
      .toBe(true)
      .then(strike);
  }

  /** Names of the containers of this phase. */
  async running(phase: string): Promise<readonly string[]> {
    return (await this.world.engine.containers()).filter((name) => name.includes(`-${phase}-`));
  }

  /** Resolves when a container of this phase has ended. */
  ends(phase: string): Promise<void> {
    return new Promise((resolve) => this.atContainer(phase, 'died', resolve));
  }

  /** Does something, once, before such a call reaches the hub. */
  atCall(isIt: (call: PassingCall) => boolean, strike: () => unknown): void {
    this.#happenings.onCall = async (call) => {
      if (!isIt(call)) return;
      this.#happenings.onCall = null;
      await strike();
    };
  }

  /** What the daemon has logged since this was asked for. */
  async listen(): Promise<() => Promise<string>> {
    const { length } = await this.#log();
    return async () => (await this.#log()).subarray(length).toString();
  }

  #log(): Promise<Buffer> {
    return readFile(this.world.logPath);
  }

  /** Waits until the package has counted so far, as the hub sees it; gives the task that builds it. */
  async hasCounted(build: number, number: number): Promise<number> {
    const log = async () => {
      const { children } = await this.world.tree(build);
      const id = children.find(({ method }) => method === 'buildArch')?.id ?? 0;
      const text = await this.logOnHub(id).catch(() => '');
      return text.includes(`count ${number}\n`) ? id : 0;
    };
    await expect.poll(log, inTime).toBeGreaterThan(0);
    return log();
  }

  /**
   * Waits until the build has come to a good end, and looks whether its log is whole and nothing is left of it. Sessions
   * may be where a damaged disk has lost which ones there were: they end with the daemon's own.
   */
  async endsWell(build: number, left: 'nothing' | 'sessions' = 'nothing'): Promise<void> {
    await this.world.end(build);
    const tree = await this.world.tree(build);
    expect(tree.state, JSON.stringify(await this.world.outcome(build))).toBe(taskState.CLOSED);
    const log = await this.logOnHub(childOf(tree, 'buildArch').id);
    expect(countedIn(log)).toEqual(allNumbers(numbers));
    await this.leavesNothing(left);
  }

  /** A task's log as the hub has it. */
  logOnHub(task: number, name = 'build.log'): Promise<string> {
    return readFile(this.world.uploadPath(task, name), 'utf8');
  }

  async leavesNothing(left: 'nothing' | 'sessions' = 'nothing'): Promise<void> {
    // A root that is being kept for later builds takes its time on a busy machine.
    await expect.poll(() => this.world.leftHere(), inTime).toEqual([]);
    const ours = async () =>
      // Its own session stays.
      (await this.world.leftOnHub()).filter(
        (what) => !(left === 'nothing' ? /^session \d+$/ : /^session /).test(what),
      );
    await expect.poll(ours, inTime).toEqual([]);
  }

  /** Where the engine keeps the output of the package that is being built. */
  async containerLog(): Promise<string> {
    const [name = 'none'] = (await readdir(this.place('containers'))).filter((each) =>
      each.endsWith('-build-1.log'),
    );
    return this.place('containers', name);
  }

  /** A place of the daemon's own. */
  place(...names: readonly string[]): string {
    return join(this.world.area.path, 'adjutant', ...names);
  }
}

interface Happenings {
  onContainer: ((event: ContainerEvent) => Promise<void>) | null;
  onCall: ((call: PassingCall) => Promise<void>) | null;
}
