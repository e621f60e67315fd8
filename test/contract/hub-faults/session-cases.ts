import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { adler32, adler32Hex } from '../../../src/hub/session/adler32.ts';
import type { HubSession } from '../../../src/hub/session/session.ts';
import { Uploader } from '../../../src/upload/uploader.ts';
import { accounts } from '../hub/fixture.ts';
import type { CallCase, FaultBench, PreparedCall } from './fault-bench.ts';

const Session = z.looseObject({ master: z.int().nullable(), exclusive: z.boolean().nullable() });
const infoOf = async (session: HubSession) =>
  Session.parse(await session.call('getSessionInfo', [], Session));

/** Who holds the lock of the spare builder: nobody, when somebody can take it. */
async function isLocked({ fixture }: FaultBench): Promise<boolean> {
  const client = await fixture.login(accounts.spare);
  const taken = await client.call('exclusiveSession').then(
    () => false,
    () => true,
  );
  await client.logout();
  return taken;
}

const content = Buffer.alloc(2 * 1024 * 1024 + 5, 'what was built ');

/** An upload of two chunks and a little more by `send`; the hub must have the whole file afterwards. */
async function upload(
  bench: FaultBench,
  send: (uploader: Uploader, session: HubSession, path: string, directory: string) => Promise<unknown>,
): Promise<PreparedCall> {
  const { fixture } = bench;
  const task = await fixture.openTask();
  const directory = `tasks/${task % 10_000}/${task}`;
  return {
    async call(_apis, session) {
      const place = await mkdtemp(join(tmpdir(), 'hub-faults-'));
      try {
        const path = join(place, 'made.log');
        await writeFile(path, content);
        await send(new Uploader(session, bench.clock), session, path, directory);
      } finally {
        await rm(place, { recursive: true });
      }
    },
    answer: undefined,
    async state() {
      const text = await fixture.file(`work/${directory}/made.log`);
      return text === undefined ? null : adler32Hex(adler32(Buffer.from(text)));
    },
    after: adler32Hex(adler32(content)),
  };
}

const whole: Parameters<typeof upload>[1] = (uploader, _session, path, directory) =>
  uploader.files([{ path, target: { directory, name: 'made.log' } }]);

/** Logging in and out, sessions, and files. */
export const sessionCases: readonly CallCase[] = [
  {
    method: 'login',
    // A start does not wait: whoever starts the daemon does it again.
    givenUp: ['server-error', 'html-page', 'gateway-timeout'],
    neverExpired: 'it makes the session',
    async prepare(bench) {
      return {
        call: async () => (await bench.spareSession()).logout(),
        answer: undefined,
      };
    },
  },
  {
    method: 'exclusiveSession',
    async prepare(bench) {
      const session = await bench.spareSession();
      return {
        async call() {
          await session.exclusiveSession(false);
          return (await infoOf(session)).exclusive;
        },
        answer: true,
        state: () => isLocked(bench),
        after: true,
      };
    },
  },
  {
    method: 'subsession',
    async prepare(bench) {
      const session = await bench.spareSession();
      return {
        async call() {
          const child = await session.subsession();
          return (await infoOf(child)).master === session.info.id;
        },
        answer: true,
      };
    },
  },
  {
    method: 'logoutChild',
    async prepare(bench) {
      const session = await bench.spareSession();
      const child = await session.subsession();
      return {
        call: () => bench.apis(session).host.closeSubsession(child.info.id),
        answer: undefined,
        state: () =>
          infoOf(child).then(
            () => 'open',
            (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
          ),
        after: 'session-lost',
      };
    },
  },
  {
    method: 'logout',
    // The end of the daemon does not wait for the hub.
    givenUp: ['offline'],
    async prepare(bench) {
      const session = await bench.spareSession();
      await session.exclusiveSession(false);
      return { call: () => session.logout(), answer: undefined, state: () => isLocked(bench), after: false };
    },
  },
  { method: 'rawUpload', prepare: (bench) => upload(bench, whole) },
  { method: 'uploadFile', session: 'plain-upload', prepare: (bench) => upload(bench, whole) },
  { method: 'multiCall', prepare: (bench) => upload(bench, whole) },
  {
    method: 'checkUpload',
    prepare: (bench) =>
      upload(bench, async (uploader, _session, path, directory) => {
        const file = { path, target: { directory, name: 'made.log' } };
        await uploader.files([file]);
        await uploader.files([file], { resume: true });
      }),
  },
];
