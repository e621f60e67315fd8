/**
 * Shows whether a hub can tell one builder from another. Asks a hub for the same builds in the channels of both,
 * writes down all that the hub knows of each when it is over, and compares the two, field by field, log by log and
 * package by package. What may differ stands, with reasons, in whitelist.json.
 *
 *   npm run parity -- record --side kojid|ours --channel CHANNEL [options] SRPM...
 *   npm run parity -- compare [--dir DIR] [--verbose]
 *
 *   --dir DIR                where records lie, with logs and packages (parity-records)
 *   --target TARGET          (td1)
 *   --tagged                 not scratch
 *   --reset                  afterwards untag and reset the build, so that the other side can build the same again
 *   --cancel                 cancel the build when rpmbuild has begun
 *   --again                  record what is recorded already
 *   --hub URL --files URL    the hub and its files; else those of the env.sh that KOJI_TEST_HUB names
 *   --user USER --password PASSWORD  (kojiadmin, kojiadmin-pw)
 *   --verbose                how often each entry of the whitelist was needed
 *
 * `record` leaves out what is recorded already. `compare` ends with 1 when there is a difference that nothing
 * excuses, or a build that only one side has.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { HubClient } from '../../src/devhub/client.ts';
import { readHubEnvironment } from '../../test/integration/real-hub.ts';
import { compareRecords } from './compare.ts';
import { recordBuild } from './record.ts';
import { type BuildCase, caseName, resetBuild, runCase } from './submit.ts';
import { excuseFor, readWhitelist } from './whitelist.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string', default: 'parity-records' },
    side: { type: 'string' },
    channel: { type: 'string' },
    target: { type: 'string', default: 'td1' },
    tagged: { type: 'boolean', default: false },
    cancel: { type: 'boolean', default: false },
    reset: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    hub: { type: 'string' },
    files: { type: 'string' },
    user: { type: 'string', default: 'kojiadmin' },
    verbose: { type: 'boolean', default: false },
    password: { type: 'string', default: 'kojiadmin-pw' },
  },
});

const [command, ...srpms] = positionals;
if (command === 'record') await record();
else if (command === 'compare') await compare();
else throw new Error('say record or compare');

async function record(): Promise<void> {
  const environmentFile = process.env['KOJI_TEST_HUB'];
  const environment = environmentFile === undefined ? {} : readHubEnvironment(environmentFile);
  const url = values.hub ?? environment['HUB_URL'];
  const files = values.files ?? environment['FILES_URL'];
  if (url === undefined || files === undefined)
    throw new Error('name the hub with --hub and --files, or the env.sh of a hub for tests in KOJI_TEST_HUB');
  if (values.side !== 'kojid' && values.side !== 'ours') throw new Error('--side is kojid or ours');
  if (values.channel === undefined) throw new Error('--channel is missing');
  const client = new HubClient(url);
  await client.login(values.user, values.password);
  for (const srpm of srpms) {
    const what: BuildCase = {
      srpm,
      target: values.target,
      channel: values.channel,
      mode: values.tagged ? 'tagged' : 'scratch',
      cancel: values.cancel,
    };
    const directory = join(values.dir, values.side, caseName(what));
    if (existsSync(join(directory, 'record.json')) && !values.again) continue;
    const startMs = systemClock.now();
    const id = await runCase(client, what, systemClock, AbortSignal.timeout(20 * 60_000));
    const { tasks, build } = await recordBuild(client, files, id, what, directory);
    if (values.reset && build !== null) await resetBuild(client, build);
    const states = tasks.map(({ name, info }) => `${name.split('/').at(-1)} ${String(info['state'])}`);
    const seconds = ((systemClock.now() - startMs) / 1000).toFixed(1);
    console.log(`${caseName(what)}: task ${id}, ${seconds} s: ${states.join(', ')}`);
  }
  await client.logout();
}

async function compare(): Promise<void> {
  const whitelist = readWhitelist();
  const used = new Map(whitelist.fields.map((field) => [field, 0]));
  const cases = (side: string) => readdirSync(join(values.dir, side)).sort();
  const [kojid, ours] = [cases('kojid'), cases('ours')];
  let different = 0;
  for (const name of kojid.filter((one) => ours.includes(one))) {
    const found = await compareRecords(
      join(values.dir, 'kojid', name),
      join(values.dir, 'ours', name),
      whitelist,
    );
    const open = found.differences.filter((difference) => {
      const field = excuseFor(name, difference, whitelist);
      if (field !== null) used.set(field, (used.get(field) ?? 0) + 1);
      return field === null;
    });
    const excused = found.differences.length - open.length;
    console.log(`${name}: ${found.compared} compared, ${excused} excused, ${open.length} different`);
    for (const { path, kojid: left, ours: right } of open)
      console.log(`  ${path}\n    kojid: ${left ?? '(nothing)'}\n    ours:  ${right ?? '(nothing)'}`);
    different += open.length;
  }
  const alone = [...kojid, ...ours].filter((name) => !(kojid.includes(name) && ours.includes(name)));
  for (const name of alone) console.log(`${name}: recorded on one side only`);
  if (values.verbose)
    for (const [{ reason }, count] of used) console.log(`${String(count).padStart(7)}  ${reason}`);
  process.exitCode = different + alone.length > 0 ? 1 : 0;
}
