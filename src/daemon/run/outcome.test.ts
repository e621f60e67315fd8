import { describe, expect, it } from 'vitest';
import { BuildrootStepFailed, BuildrootUnavailable, BuildrootUnsupported } from '../../buildroot/errors.ts';
import { ContainerError, type ContainerErrorCode } from '../../container/errors.ts';
import { BuilderError } from '../../core/errors.ts';
import { HubFault, HubProtocolError, HubTransportError, SessionLost } from '../../hub/faults.ts';
import { HubFileError } from '../../hub/files.ts';
import { PolicyError } from '../../policy/errors.ts';
import { BadNvr, BadRpm, RpmBuildError } from '../../rpm/errors.ts';
import { ImageProgramFailed, StepNotBegun } from '../../steps/whose-fault.ts';
import { type CancelReason, TaskCancelled, TaskFault, TaskRefused } from '../../tasks/errors.ts';
import { outcomeOf } from './outcome.ts';

const cancelReasons: readonly CancelReason[] = ['canceled', 'reassigned', 'shutdown', 'session-lost'];

const failures: readonly (readonly [string, unknown, code: number])[] = [
  ['a fault of the hub', new HubFault(1005, 'text'), 1005],
  ['an authorisation of the hub that is missing', new HubFault(1004, 'text'), 1004],
  ['an answer of another shape', new HubProtocolError('text'), 1000],
  ['an answer that is too large', new HubTransportError('too-large', 'text'), 1000],
  ['a request the web server refuses', new HubTransportError('status', 'text', { status: 413 }), 1000],
  ['a file of the hub that is not there', new HubFileError('text', true), 1000],
  ['a fault of the task', new TaskFault(1019, 'request', 'text'), 1019],
  ['an image policy that is wrong', new PolicyError('f1-build', 'text'), 1000],
  ['a package that is no RPM', new BadRpm('text'), 1005],
  ['a name that is no NVR', new BadNvr('text'), 1000],
  ['what kojid calls a build error', new RpmBuildError('package', 'text'), 1005],
  ['an error of ours that blames the package', new BuilderError('upload-failed', 'package', 'text'), 1005],
  ['an error of ours that blames the request', new BuilderError('upload-failed', 'request', 'text'), 1000],
  ['an error of ours that blames the host', new BuilderError('upload-failed', 'builder', 'text'), 1000],
  ['an error of ours that blames others', new BuilderError('upload-failed', 'external', 'text'), 1000],
];

const containerOutcomes: Readonly<Record<Exclude<ContainerErrorCode, 'disk-full'>, object>> = {
  'image-missing': { kind: 'fail', code: 1012 },
  'image-denied': { kind: 'fail', code: 1012 },
  'no-such-path': { kind: 'fail', code: 1012 },
  'bad-spec': { kind: 'fail', code: 1012 },
  'start-failed': { kind: 'fail', code: 1012 },
  'engine-failed': { kind: 'fail', code: 1012 },
  'image-unreachable': { kind: 'refuse', soft: true },
  'runtime-down': { kind: 'free' },
  'end-unseen': { kind: 'free' },
  'no-such-container': { kind: 'free' },
};

describe('outcomeOf', () => {
  it('leaves a step that could not begin here to other hosts, and to this one later', () => {
    const error = new StepNotBegun('rpmbuild', '/bin/bash: /adjutant/in/build-1.sh: Permission denied');
    expect(outcomeOf(error)).toEqual({ kind: 'refuse', soft: true, message: error.message });
  });

  it('fails a task whose bootstrap image does not work', () => {
    const error = new ImageProgramFailed(
      'choose packages for @build',
      'image:1',
      'was ended by signal 11 (SIGSEGV)',
    );
    expect(outcomeOf(error)).toEqual({ kind: 'fail', code: 1012, message: error.message, bug: false });
  });

  it.each([
    ['a file', Object.assign(new Error('write'), { code: 'ENOSPC' })],
    [
      'what an error stems from',
      new Error('a', { cause: Object.assign(new Error('b'), { code: 'EDQUOT' }) }),
    ],
    ['the output of a container', new ContainerError('disk-full', 'no space left on device for /x')],
    [
      'an install',
      new BuilderError('disk-full', 'builder', 'install packages for @build failed: no space left on device'),
    ],
  ])('leaves a task to other hosts, and to this one later, when the disk is full: %s', (_what, error) => {
    expect(outcomeOf(error)).toEqual({
      kind: 'refuse',
      soft: true,
      message: expect.stringMatching(/^the disk of this host is full: ./),
    });
  });

  it('believes no message that says that the disk is full, unless somebody has looked', () => {
    const engine = new ContainerError('engine-failed', 'write /x: no space left on device');
    const named = new BuildrootStepFailed('cannot take "RPMS/no space left on device.rpm"; rpmbuild', 1);

    expect(outcomeOf(engine)).toMatchObject({ kind: 'fail', code: 1012 });
    expect(outcomeOf(engine, true)).toMatchObject({ kind: 'refuse', soft: true });
    for (const isRoomShort of [false, true])
      expect(outcomeOf(named, isRoomShort)).toMatchObject({ kind: 'fail' });
  });

  it('leaves a task to other hosts when the disk of this one cannot be written to', () => {
    const error = Object.assign(new Error('EROFS: read-only file system, open /work/x'), { code: 'EROFS' });

    expect(outcomeOf(error)).toEqual({
      kind: 'refuse',
      soft: true,
      message: 'the disk of this host cannot be written to: EROFS: read-only file system, open /work/x',
    });
  });

  it('takes the full disk of the hub for the fault that it is', () => {
    expect(outcomeOf(new HubFault(1, 'No space left on device'))).toMatchObject({ kind: 'fail', code: 1 });
  });

  it.each(cancelReasons)('tells the hub nothing of a task that was stopped: %s', (reason) => {
    expect(outcomeOf(new TaskCancelled(reason))).toEqual({ kind: 'nothing' });
  });

  it('tells the hub nothing when the session is lost', () => {
    expect(outcomeOf(new SessionLost('gone'))).toEqual({ kind: 'nothing' });
  });

  it.each(failures)('fails the task by %s', (_name, error, code) => {
    const outcome = outcomeOf(error);

    expect(outcome).toMatchObject({ kind: 'fail', code, bug: false });
    expect(outcome).toHaveProperty('message', expect.stringMatching(/text|invalid format/));
  });

  it("passes the text of the hub's faults as it is", () => {
    expect(outcomeOf(new HubFault(1005, 'build failed'))).toHaveProperty('message', 'build failed');
  });

  it.each(Object.entries(containerOutcomes))('decides on %s', (code, outcome) => {
    // The keys of the record are the codes.
    const error = new ContainerError(code as ContainerErrorCode, 'text');

    expect(outcomeOf(error)).toMatchObject({ ...outcome, message: 'text' });
  });

  it('decides on every error of a buildroot', () => {
    expect(outcomeOf(new BuildrootUnavailable('text'))).toMatchObject({ kind: 'fail', code: 1012 });
    expect(outcomeOf(new BuildrootUnsupported('text'))).toEqual({
      kind: 'refuse',
      soft: false,
      message: 'text',
    });
  });

  it.each([true, false])('refuses as the task says: soft %s', (soft) => {
    expect(outcomeOf(new TaskRefused('not here', { soft }))).toEqual({
      kind: 'refuse',
      soft,
      message: 'not here',
    });
  });

  it.each([
    ['no connection', new HubTransportError('unreachable', 'text')],
    ['a broken connection', new HubTransportError('dropped', 'text')],
    ['no answer in time', new HubTransportError('timeout', 'text')],
    ['a broken proxy', new HubTransportError('status', 'text', { status: 502 })],
    ['a file that cannot be read now', new HubFileError('text', false)],
  ])('gives the task back to the queue for %s', (_name, error) => {
    expect(outcomeOf(error)).toEqual({ kind: 'free', message: 'text' });
  });

  it('fails a task whose buildroot step failed as mock would', () => {
    expect(outcomeOf(new BuildrootStepFailed('could not init mock buildroot', 30))).toMatchObject({
      kind: 'fail',
      code: 1012,
      message: 'could not init mock buildroot exited with status 30; see root.log for more information',
    });
  });

  it('calls an unknown error a bug, with its stack and its causes', () => {
    const outcome = outcomeOf(new TypeError('x is undefined', { cause: new Error('deeper') }));

    expect(outcome).toMatchObject({ kind: 'fail', code: 1, bug: true });
    expect(outcome).toHaveProperty(
      'message',
      expect.stringMatching(/^x is undefined: deeper\nTypeError: x is undefined\n +at /),
    );
  });

  it.each(['a string', undefined, null, 42])('calls a thrown %s a bug', (thrown) => {
    expect(outcomeOf(thrown)).toMatchObject({ kind: 'fail', code: 1, bug: true });
  });
});
