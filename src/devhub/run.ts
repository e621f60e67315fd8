import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { createDispatcher } from './dispatch.ts';
import { type Hub, type HubSettings, openHub } from './hub.ts';
import { createHubServer } from './server.ts';

export interface DevHubOptions {
  /** Directory of the hub's state and files; made when it is missing. One hub at a time may use it. */
  readonly dir: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly settings?: Partial<HubSettings>;
}

/** A development hub that answers requests. */
export interface RunningDevHub extends AsyncDisposable {
  /** Where builders and clients send their calls, such as `http://127.0.0.1:8080/kojihub`. */
  readonly url: string;
  /** The hub's files over HTTP: what kojid.conf calls topurl. */
  readonly filesUrl: string;
  /** The same files on disk: what kojid.conf calls topdir. */
  readonly topdir: string;
  /** Changes the hub's data between two requests, as a transaction. `work` must not wait for anything. */
  change<Result>(work: (hub: Hub) => Result): Promise<Result>;
  /** Stops answering and closes the state. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts a development hub on the loopback address. It speaks the dialect of Koji's hub and holds its callers to
 * the same rules, with the data in one directory. Rejects when the port is taken or the state cannot be read.
 */
export async function runDevHub(options: DevHubOptions): Promise<RunningDevHub> {
  mkdirSync(options.dir, { recursive: true });
  const hub = openHub(options.dir, options.clock, options.settings);
  const dispatcher = createDispatcher(hub);
  const server = createHubServer(hub, dispatcher);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }).then(() => dispatcher.exclusively(() => hub.state.close()));
    return closing;
  };
  return {
    url: `http://127.0.0.1:${port}/kojihub`,
    filesUrl: `http://127.0.0.1:${port}/kojifiles`,
    topdir: hub.paths.topdir,
    change: (work) => dispatcher.exclusively(() => work(hub)),
    close,
    [Symbol.asyncDispose]: close,
  };
}
