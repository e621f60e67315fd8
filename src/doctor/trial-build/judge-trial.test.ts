import { describe, expect, it } from 'vitest';
import { BuildrootStepFailed } from '../../buildroot/errors.ts';
import { ContainerError } from '../../container/errors.ts';
import type { RuntimeInfo } from '../../container/step-runtime.ts';
import {
  judgeBuilds,
  judgeCleanUp,
  judgeFailure,
  judgeLimitTrials,
  partOfStep,
  type TrialBuilt,
  type TrialHost,
  type TrialPart,
} from './judge-trial.ts';

const info: RuntimeInfo = {
  name: 'podman',
  version: '5.4.2',
  rootless: false,
  storageDriver: 'overlay',
  cgroupVersion: 'v2',
  limitsEnforced: true,
  isolations: ['plain'],
  storagePath: '/var/lib/c',
  details: {
    runtime: 'crun',
    fuse: false,
    storageOn: { fileSystem: 'xfs', hasFileTypes: true },
    missingControllers: [],
    runPath: null,
    freeLocks: null,
  },
};
const host: TrialHost = { info, image: 'img', umask: 0o022, directory: '/work' };

const started = (said: string) => new ContainerError('start-failed', `cannot start container x: ${said}`);
const ended = (step: string, status = 30) => new BuildrootStepFailed(step, status);

describe('judgeFailure', () => {
  it.each<[string, TrialPart, Error, string, RegExp]>([
    [
      'a crash of the package manager',
      'solve',
      ended('choose packages for @build (status 139)'),
      '',
      /^the package manager of img crashes: .*libcomps before 0\.1\.22/,
    ],
    [
      'a mount that the runtime refuses',
      'install',
      started('crun: invalid target mnt/root/proc: it must be mounted at the root'),
      '',
      /^the OCI runtime crun refuses a mount .*runtime = "runc"/,
    ],
    [
      'a runtime that fails',
      'install',
      started('OCI runtime error: something else'),
      '',
      /^the OCI runtime crun cannot start a container/,
    ],
    [
      'a script that the build user cannot read',
      'rpmbuild',
      ended('rpmbuild (status 126)', 126),
      '/bin/bash: /adjutant/in/build-1.sh: Permission denied',
      /^the build user cannot run its script: .*SELinux/,
    ],
    [
      'capabilities that the file system does not keep',
      'install',
      ended('install packages for @build (status 1)'),
      'error: unpacking of archive failed on file /x: cpio: cap_set_file failed - Operation not supported',
      /^owners, modes and file capabilities have to be kept in \/var\/lib\/c/,
    ],
    [
      'a snapshot that has lost something',
      'rpmbuild',
      ended('rpmbuild (status 1)', 1),
      'trial: files of the root are not as their packages say: ........P /usr/share/x',
      /^owners, modes and file capabilities/,
    ],
    [
      'a full disk',
      'snapshot',
      ended('keeping the prepared root, to which packages have to be added,'),
      'a prepared root could not be kept: no space left on device',
      /^free some space at \/var\/lib\/c, \/work/,
    ],
    ['anything else', 'rpmbuild', ended('rpmbuild (status 1)', 1), '', /^read the lines below/],
  ])('knows what helps against %s', (_what, part, error, line, remedy) => {
    const finding = judgeFailure({ part, error, lines: [line] }, host);

    expect(finding).toMatchObject({ level: 'FAIL', what: `trial build: ${part}`, lines: [line] });
    expect(finding.remedy).toMatch(remedy);
  });

  it('says which umask keeps files from the build user', () => {
    const error = ended('rpmbuild (status 126)', 126);
    const judge = (umask: number) =>
      judgeFailure({ part: 'rpmbuild', error, lines: [] }, { ...host, umask }).remedy;

    expect(judge(0o077)).toContain('start with umask 0022, it is 0077');
    expect(judge(0o027)).toContain('it is 0027');
  });

  it('leaves out the log that only a task has', () => {
    const { found } = judgeFailure(
      { part: 'solve', error: ended('choose packages for @build (status 1)'), lines: [] },
      host,
    );

    expect(found).toBe('choose packages for @build (status 1) failed');
  });
});

describe('partOfStep', () => {
  it.each<[string, TrialPart]>([
    ['choose packages for @build', 'solve'],
    ['install packages for build requirements (status 1)', 'install'],
    ['fetch packages for @build', 'fetch'],
    ['keeping the prepared root, to which packages have to be added,', 'snapshot'],
    ['rpmbuild -bs', 'rpmbuild'],
    ['No build results found: rpmbuild', 'rpmbuild'],
  ])('of %s is %s', (step, part) => {
    expect(partOfStep(step)).toBe(part);
  });
});

const built: TrialBuilt = {
  steps: [
    { name: 'choose packages for @build', tookMs: 1234 },
    { name: 'install packages for @build', tookMs: 500 },
    { name: 'rpmbuild', tookMs: 700 },
  ],
  fromSnapshot: [],
  packages: ['x-1-1.x86_64.rpm'],
  problem: null,
  outputComplete: true,
};
const again: TrialBuilt = {
  ...built,
  steps: [{ name: 'rpmbuild', tookMs: 300 }],
  fromSnapshot: ['@build', 'b'],
};
const tools = { rpm: 'RPM version 4.18.0', hasRpmbuild: true, hasUseradd: true };

describe('judgeBuilds', () => {
  const judge = (first: TrialBuilt, second: TrialBuilt, with_ = tools) =>
    Object.fromEntries(
      judgeBuilds(first, second, with_).map(({ what, level, found }) => [what, [level, found]]),
    );

  it('says what was tried, and how long it took', () => {
    expect(judge(built, again)).toMatchObject({
      'trial build: solve': ['ok', 'a group and build requirements, 1.2 s'],
      'trial build: rpmbuild': ['ok', expect.stringMatching(/^rpmbuild 4\.18\.0 .* 0\.7 s and 0\.3 s$/)],
      'trial build: results': ['ok', 'x-1-1.x86_64.rpm, read on this host'],
    });
  });

  it('hides no stand-in', () => {
    const found = JSON.stringify(judge(built, again, { ...tools, hasRpmbuild: false, hasUseradd: false }));

    expect(found).toContain('a stand-in for rpmbuild, which the image has not');
    expect(found).toContain('no useradd in the image');
  });

  it('fails when a root had to be made again, output is missing or the package is none', () => {
    expect(judge(built, { ...again, fromSnapshot: ['@build'] })['trial build: snapshot']?.[0]).toBe('FAIL');
    expect(judge(built, { ...again, steps: built.steps })['trial build: snapshot']?.[0]).toBe('FAIL');
    expect(judge({ ...built, outputComplete: false }, again)['trial build: rpmbuild']?.[0]).toBe('FAIL');
    expect(judge(built, { ...again, problem: 'none' })['trial build: results']).toEqual(['FAIL', 'none']);
  });
});

describe('judgeLimitTrials', () => {
  const memory = { limit: 'memory', what: 'memory', named: 'killed by the memory limit' } as const;
  const disk = { limit: 'disk', what: 'disk', named: 'killed by the disk limit' } as const;

  it('fails for a limit that the engine promises and does not keep', () => {
    expect(judgeLimitTrials([memory, disk], info).level).toBe('ok');
    expect(judgeLimitTrials([{ ...memory, named: null }, disk], info)).toMatchObject({
      level: 'FAIL',
      found: 'the limit of memory did not stop a build; others were killed by the disk limit',
    });
  });

  it('warns where the engine says that it ignores them, but not about the disk', () => {
    const ignoring = { ...info, limitsEnforced: false };

    expect(judgeLimitTrials([{ ...memory, named: null }, disk], ignoring).level).toBe('warn');
    expect(judgeLimitTrials([memory, { ...disk, named: null }], ignoring).level).toBe('FAIL');
  });
});

describe('judgeCleanUp', () => {
  it('names what is left', () => {
    expect(judgeCleanUp({ containers: [], images: [], files: [] }).level).toBe('ok');
    expect(judgeCleanUp({ containers: ['c'], images: ['i'], files: ['/f'] })).toMatchObject({
      level: 'FAIL',
      found: 'container c, image i, /f left',
    });
  });
});
