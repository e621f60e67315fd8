import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { ensureHost, ensureTag, findUser } from '../../src/devhub/hub.ts';
import { buildState } from '../../src/devhub/rows.ts';
import { type RunningDevHub, runDevHub } from '../../src/devhub/run.ts';
import { allowPackage, seedDevHub } from '../../src/devhub/seed.ts';
import { type ChaosHub, freeTag } from './hub.ts';

const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** A development hub of its own. */
export class DevChaosHub implements ChaosHub {
  readonly builder = { name: 'chaos-builder', password: 'chaos-builder-pw' };
  readonly admin = { name: 'chaos-client', password: 'chaos-client-pw' };
  readonly channel = 'chaos';
  readonly builds: readonly number[];
  readonly #hub: RunningDevHub;

  private constructor(hub: RunningDevHub, builds: readonly number[]) {
    this.#hub = hub;
    this.builds = builds;
  }

  /** `capacity` of the builder's host. */
  static async open(directory: string, distribution: string, capacity = 6): Promise<DevChaosHub> {
    const hub = await runDevHub({
      dir: join(directory, 'hub'),
      port: 0,
      clock: systemClock,
      settings: { softRefusalMs: 1000 },
    });
    const made = new DevChaosHub(hub, []);
    await seedDevHub(hub, {
      distroRepo: join(distribution, 'repo'),
      tagName: 'td1',
      arches: arch,
      extra: { 'rpm.macro.dist': '.td1' },
      packages: ['hello', 'counting'],
      // Everything goes to the channel of the builder that is made below.
      builder: { name: 'unused', password: 'unused', capacity: 0 },
      client: made.admin,
    });
    const builds = await hub.change((data) => {
      const channels = [made.channel, 'createrepo'];
      ensureHost(data, { ...made.builder, arches: `${arch} noarch`, capacity, channels });
      const tag = ensureTag(data, { name: freeTag, arches: null, extra: {}, parents: [], groups: [] });
      const owner = findUser(data, made.admin.name)?.id ?? 0;
      const complete = data.state.tables.builds.filter((build) => build.state === buildState.COMPLETE);
      for (const { package_id } of complete)
        allowPackage(data, tag, data.state.tables.packages.mustGet(package_id).name, owner);
      return complete.map(({ id }) => id);
    });
    return new DevChaosHub(hub, builds);
  }

  get url(): string {
    return this.#hub.url;
  }

  get filesUrl(): string {
    return this.#hub.filesUrl;
  }

  get topdir(): string {
    return this.#hub.topdir;
  }

  async openSessions(): Promise<readonly string[]> {
    return this.#hub.change((data) => {
      const builder = findUser(data, this.builder.name)?.id;
      return (
        data.state.tables.sessions
          .filter((row) => row.user_id === builder && !row.closed)
          // A login whose answer was lost has made a session nobody knows; it holds nothing and expires.
          .filter((row) => row.exclusive || row.master !== null)
          .map((row) => (row.master === null ? `session ${row.id}` : `session ${row.id} of ${row.master}`))
      );
    });
  }

  async close(): Promise<void> {
    await this.#hub.close();
  }
}
