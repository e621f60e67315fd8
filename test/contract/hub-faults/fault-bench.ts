import { pino } from 'pino';
import { z } from 'zod';
import { type HubApis, hubApis } from '../../../src/hub/api/apis.ts';
import { passwordAuth } from '../../../src/hub/auth/password.ts';
import { openSession, resumeSession } from '../../../src/hub/session/open-session.ts';
import type { HubSession, SessionOptions } from '../../../src/hub/session/session.ts';
import { createTransport, type HubTransport } from '../../../src/hub/transport/transport.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FaultyProxy, type Mishap, type PassingCall } from '../../support/faulty-proxy.ts';
import { accounts, Fixture } from '../hub/fixture.ts';
import type { HubUnderTest } from '../hub/hub-under-test.ts';

/** A mishap of one call, or one that needs more than a proxy. */
export type Trouble =
  | Mishap
  /** The session expires before the call (1007). */
  | 'expired'
  /** The answer of the call is lost, and then the first answer of every call that looks for its effect. */
  | 'every-reply-lost';

export const troubles: readonly Trouble[] = [
  ...['lost-request', 'server-error', 'html-page', 'offline'],
  ...['lost-reply', 'cut-reply', 'gateway-timeout', 'every-reply-lost', 'expired'],
] as Trouble[];

/** For calls that only read, the rest comes to the same. */
export const troublesOfReading: readonly Trouble[] = [
  'lost-request',
  'html-page',
  'offline',
  'lost-reply',
  'expired',
];

/** Trouble of which a caller cannot tell whether the hub has heard the request; it has not. */
export const unheard: readonly Trouble[] = ['lost-request', 'server-error', 'html-page'];

/** A call that is ready to be made. */
export interface PreparedCall {
  /** Makes it through the builder's own code. */
  call(apis: HubApis, session: HubSession): Promise<unknown>;
  /** What it must give; may be an asymmetric matcher. */
  readonly answer: unknown;
  /** What the hub then knows, and must be `after`. Left out for calls that change nothing. */
  state?(): Promise<unknown>;
  readonly after?: unknown;
}

/** A method of the hub, and how a builder calls it. */
export interface CallCase {
  readonly method: string;
  /** What is special about it, for the test's name. */
  readonly about?: string;
  /** Trouble in which the caller gets an error, and the hub has done nothing that stands in the way of another try. */
  readonly givenUp?: readonly Trouble[];
  /** The development hub does not know it. */
  readonly realHubOnly?: true;
  readonly session?: 'plain-upload';
  readonly reads?: true;
  /** Why an expired session is no trouble for it. */
  readonly neverExpired?: string;
  prepare(bench: FaultBench): Promise<PreparedCall>;
}

const Opened = z.object({ 'session-id': z.int(), 'session-key': z.string() });
const options: SessionOptions = {
  maxRetries: 3,
  retryIntervalMs: 5000,
  offlineRetry: true,
  offlineRetryIntervalMs: 5000,
};
const noTls = { clientPem: null, serverCaPem: null, skipVerify: false };

/** Sessions that reach a hub through a proxy which makes trouble. */
export class FaultBench {
  readonly fixture: Fixture;
  readonly clock = new FakeClock();
  readonly #hub: HubUnderTest;
  readonly #proxy: FaultyProxy;
  readonly #transport: HubTransport;
  #trouble: { readonly kind: Trouble; readonly method: string; left: number } | null = null;
  #session = 0;
  readonly #answered = new Set<string>();
  /** How often trouble was made since it was asked for. */
  made = 0;

  private constructor(hub: HubUnderTest, fixture: Fixture, proxy: FaultyProxy) {
    this.fixture = fixture;
    this.#hub = hub;
    this.#proxy = proxy;
    this.#transport = createTransport({ server: proxy.url, secure: false, tls: noTls, timeoutMs: 60_000 });
  }

  /** `numbered`: the hub compares call numbers, as those after 1.35 do. */
  static async open(hub: HubUnderTest, { numbered }: { readonly numbered: boolean }): Promise<FaultBench> {
    const fixture = await Fixture.open(hub);
    let bench: FaultBench | undefined;
    const proxy = await FaultyProxy.open(hub.url, {
      onRequest: (call) => bench?.decide(call) ?? null,
      withoutCallNumbers: !numbered,
    });
    bench = new FaultBench(hub, fixture, proxy);
    return bench;
  }

  async close(): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
    await this.fixture.close();
    await this.#hub.close();
  }

  /** A session of the builder `contract1`, as a task has it, through the proxy. */
  async session({ fastUpload = true } = {}): Promise<HubSession> {
    const { builder } = this.fixture;
    const opened = Opened.parse(await builder.call('subsession'));
    this.#session = opened['session-id'];
    const state = {
      id: this.#session,
      key: opened['session-key'],
      callnum: 0,
      exclusive: false,
      headerAuth: true,
      master: builder.session?.id ?? null,
    };
    const auth = passwordAuth(accounts.builder.name, accounts.builder.password);
    return resumeSession(state, { ...options, fastUpload }, auth, this.clock, this.#transport, silent);
  }

  /** Logs in as a builder nobody else uses, whose lock is free. */
  async spareSession(): Promise<HubSession> {
    const { name, password } = accounts.spare;
    const former = await this.fixture.login(accounts.spare);
    await former.call('exclusiveSession', [], { force: true });
    await former.logout();
    const session = await openSession(
      options,
      passwordAuth(name, password),
      this.clock,
      this.#transport,
      silent,
    );
    this.#session = session.info.id;
    return session;
  }

  apis(session: HubSession): HubApis {
    return hubApis(session, this.clock);
  }

  /** From now on the next call of this method meets with trouble. */
  expect(kind: Trouble, method: string): void {
    this.#answered.clear();
    this.made = 0;
    this.#trouble = { kind, method, left: kind === 'offline' ? 2 : 1 };
  }

  calm(): void {
    this.#trouble = null;
  }

  private async decide({ method }: PassingCall): Promise<Mishap | null> {
    const trouble = this.#trouble;
    if (trouble === null) return null;
    if (trouble.kind === 'every-reply-lost') {
      if (method !== trouble.method && !this.#answered.has(trouble.method)) return null;
      if (this.#answered.has(method)) return null;
      this.#answered.add(method);
      this.made += 1;
      return 'lost-reply';
    }
    if (method !== trouble.method || trouble.left === 0) return null;
    trouble.left -= 1;
    this.made += 1;
    if (trouble.kind !== 'expired') return trouble.kind;
    await this.#hub.ageSession(this.#session);
    return null;
  }
}

const silent = pino({ level: 'silent' });
