import { randomUUID } from 'node:crypto';
import { expect, type TestContext } from 'vitest';
import { z } from 'zod';
import { HubClient } from '../../../src/devhub/client.ts';
import { isAtLeast } from '../../../src/hub/api/version.ts';
import { HubFault } from '../../../src/hub/faults.ts';
import type { RpcValue } from '../../../src/hub/xmlrpc/codec.ts';
import type { Account, HubUnderTest } from './hub-under-test.ts';

/** Nobody else's tasks are in this channel. */
export const channel = 'contract';
export const target = 'contract-tag';
export const buildTag = `${target}-build`;

export const accounts = {
  user: { name: 'contract-user', password: 'contract-user-pw' },
  builder: { name: 'contract1', password: 'contract1-pw' },
  other: { name: 'contract2', password: 'contract2-pw' },
  /** For tests that throw the lock about. */
  spare: { name: 'contract3', password: 'contract3-pw' },
} as const;

const id = z.int();
const TaskRow = z.looseObject({ state: z.int(), host_id: z.int().nullable() });
const Rows = z.array(z.looseObject({ id: z.int() }));

/** A name nobody has used before, fit for packages and files. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** Expects a call to be refused with a fault code, and gives the fault's text. */
export async function expectFault(call: Promise<unknown>, code: number): Promise<string> {
  const outcome = await call.then(
    (value) => ({ answered: value }),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(HubFault);
  if (!(outcome instanceof HubFault)) throw new Error('unreachable after the expectation above');
  expect(`${outcome.faultCode}: ${outcome.faultString}`).toMatch(new RegExp(`^${code}: `));
  return outcome.faultString;
}

/** Logged-in clients and shortcuts that the rules share. */
export class Fixture {
  readonly hub: HubUnderTest;
  readonly admin: HubClient;
  readonly user: HubClient;
  /** Sessions of two hosts, each with its user's lock. */
  readonly builder: HubClient;
  readonly other: HubClient;
  readonly #version: string;
  #tasks: number[] = [];

  private constructor(hub: HubUnderTest, version: string) {
    this.hub = hub;
    this.#version = version;
    this.admin = new HubClient(hub.url);
    this.user = new HubClient(hub.url);
    this.builder = new HubClient(hub.url);
    this.other = new HubClient(hub.url);
  }

  static async open(hub: HubUnderTest): Promise<Fixture> {
    await hub.ensureUser(accounts.user);
    for (const account of [accounts.builder, accounts.other, accounts.spare])
      await hub.ensureHost({ ...account, arches: 'x86_64 i386', capacity: 4, channel });
    await hub.ensureTarget(target);
    const version = z.string().parse(await new HubClient(hub.url).call('getKojiVersion'));
    const fixture = new Fixture(hub, version);
    await fixture.admin.login(hub.admin.name, hub.admin.password);
    await fixture.user.login(accounts.user.name, accounts.user.password);
    for (const [client, account] of [
      [fixture.builder, accounts.builder],
      [fixture.other, accounts.other],
    ] as const) {
      await client.login(account.name, account.password);
      await client.call('exclusiveSession', [], { force: true });
      await client.call('host.updateHost', [0, false]);
    }
    return fixture;
  }

  /**
   * Whether the hub is at least of this version, for rules that came with it. The development head calls itself
   * 1.35.3 like the release before it; what it does since then is told by {@link HubUnderTest.isHead}.
   */
  isAtLeast(...version: readonly number[]): boolean {
    return isAtLeast(this.#version, ...version);
  }

  /** Leaves nothing behind that a builder or a person would have to deal with. */
  async close(): Promise<void> {
    await this.cancelMine();
    for (const client of [this.builder, this.other]) {
      const hostID = id.parse(await client.call('host.getID'));
      const buildroots = await client.call('listBuildroots', [], { hostID, state: [0, 1, 2] });
      for (const row of Rows.parse(buildroots))
        await client.call('host.setBuildRootState', [row.id, 'EXPIRED']);
      await client.call('host.updateHost', [0, false]);
      await client.logout();
    }
  }

  /** Cancels every task the rules have made; those that have ended stay as they are. */
  async cancelMine(): Promise<void> {
    const tasks = this.#tasks.splice(0);
    const calls = tasks.map((task) => ({ methodName: 'cancelTask', params: [task] }));
    await this.admin.call('multiCall', [calls]);
  }

  /** A client logged in as somebody, without the lock. */
  async login(account: Account): Promise<HubClient> {
    const client = new HubClient(this.hub.url);
    await client.login(account.name, account.password);
    return client;
  }

  /** A FREE task of the contract's channel, or one assigned to a host at once. */
  async newTask(
    options: Record<string, RpcValue> = {},
    method = 'sleep',
    args: readonly RpcValue[] = [1],
  ): Promise<number> {
    const task = id.parse(await this.admin.call('makeTask', [method, args], { channel, ...options }));
    this.#tasks.push(task);
    return task;
  }

  /** A build task that somebody has asked for, under a call number of their choice. */
  async newBuildTask(client: HubClient, callnum?: number): Promise<number> {
    const answer = await client.callNumbered(callnum, 'build', [
      'x.src.rpm',
      target,
      { scratch: true },
      null,
      channel,
    ]);
    const task = id.parse(answer);
    this.#tasks.push(task);
    return task;
  }

  /** Has tasks that the hub has made by itself cancelled with the others. */
  adopt(tasks: readonly number[]): void {
    this.#tasks.push(...tasks);
  }

  /** A task that the builder, or another host, has opened. */
  async openTask(client: HubClient = this.builder): Promise<number> {
    const task = await this.newTask();
    expect(await client.call('host.openTask', [task])).not.toBeNull();
    return task;
  }

  async subtask(parent: number, options: Record<string, RpcValue> = {}): Promise<number> {
    return id.parse(await this.builder.call('host.subtask', ['sleep', [1], parent], options));
  }

  /** The state of a task, as its code. */
  async stateOf(task: number): Promise<number> {
    return TaskRow.parse(await this.admin.call('getTaskInfo', [task])).state;
  }

  async hostIdOf(client: HubClient): Promise<number> {
    return id.parse(await client.call('host.getID'));
  }

  /** Uploads a file into a task's directory; gives its path below `work/`. */
  async upload(task: number, name: string, content: Uint8Array | string): Promise<string> {
    const filepath = `tasks/${task % 10_000}/${task}`;
    const query = { filename: name, filepath, fileverify: 'adler32', offset: '0', overwrite: '1' };
    await this.builder.uploadChunk(query, Buffer.from(content));
    return `${filepath}/${name}`;
  }

  /** A repository of the contract's build tag, in state INIT. */
  async newRepo(opts: Readonly<Record<string, RpcValue>> = {}): Promise<{ id: number; event: number }> {
    const old = Object.entries(opts).map(([name, value]) => [`with_${name}`, value]);
    const keywords = this.isAtLeast(1, 35) ? { opts } : Object.fromEntries(old);
    const [repo, event] = z
      .tuple([id, id])
      .parse(await this.builder.call('host.repoInit', [buildTag], keywords));
    return { id: repo, event };
  }

  /** A file of the hub, as text; undefined when there is none. */
  async file(path: string): Promise<string | undefined> {
    const response = await fetch(`${this.hub.filesUrl}/${path}`);
    const text = await response.text();
    return response.ok ? text : undefined;
  }
}

/** Opens the fixture when it is first needed, once for all rules. */
export type UseFixture = () => Fixture;

/**
 * A rule that came with a version of Koji, or with its development head: older hubs do something else, which
 * builders provide for, and skip it with that reason.
 */
export function since(
  use: UseFixture,
  version: readonly number[] | 'head',
  rule: () => Promise<void>,
): (context: TestContext) => Promise<void> {
  return async ({ skip }) => {
    const known = version === 'head' ? use().hub.isHead : use().isAtLeast(...version);
    skip(!known, `a rule of Koji ${version === 'head' ? 'after 1.35.3' : `from ${version.join('.')} on`}`);
    await rule();
  };
}

/** A rule that held before a version of Koji. */
export function until(
  use: UseFixture,
  version: readonly number[],
  rule: () => Promise<void>,
): (context: TestContext) => Promise<void> {
  return async ({ skip }) => {
    skip(use().isAtLeast(...version), `a rule of Koji before ${version.join('.')}`);
    await rule();
  };
}
