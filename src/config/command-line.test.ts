import { describe, expect, it } from 'vitest';
import { CommandLineError, logLevelOf, parseDaemonArguments, parseDoctorArguments } from './command-line.ts';
import type { Config } from './schema.ts';

function refusal(...argv: readonly string[]): CommandLineError {
  try {
    parseDaemonArguments(argv);
  } catch (error) {
    if (error instanceof CommandLineError) return error;
    throw error;
  }
  throw new Error('the arguments were accepted');
}

describe('parseDaemonArguments', () => {
  it('says nothing that was not said', () => {
    expect(parseDaemonArguments([])).toEqual({
      foreground: false,
      forceLock: false,
      verbose: false,
      debug: false,
      debugTask: false,
      debugXmlrpc: false,
      debugMock: false,
      skipMain: false,
      single: false,
      overrides: {},
    });
  });

  it("takes the line of kojid's unit", () => {
    expect(parseDaemonArguments(['--fg', '--force-lock', '--verbose'])).toMatchObject({
      foreground: true,
      forceLock: true,
      verbose: true,
    });
  });

  it('takes short flags, together and with their value', () => {
    const args = parseDaemonArguments(['-fvd', '-c/x.conf', '-s', 'http://hub/x']);

    expect(args).toMatchObject({ foreground: true, verbose: true, debug: true, configPath: '/x.conf' });
    expect(args.overrides.server).toEqual({ flag: '--server', text: 'http://hub/x' });
  });

  it('takes all the others', () => {
    const args = parseDaemonArguments([
      '--config=/y',
      '--adjutant-config=/z',
      '--debug-task',
      '--debug-xmlrpc',
      '--debug-mock',
      '--skip-main',
      '--single',
    ]);

    expect(args).toMatchObject({
      configPath: '/y',
      adjutantPath: '/z',
      debugTask: true,
      debugXmlrpc: true,
      debugMock: true,
      skipMain: true,
      single: true,
    });
  });

  it.each([
    ['--user', 'user'],
    ['--password', 'password'],
    ['--admin-emails', 'admin_emails'],
    ['--topdir', 'topdir'],
    ['--topurl', 'topurl'],
    ['--workdir', 'workdir'],
    ['--chroot-tmpdir', 'chroot_tmpdir'],
    ['--pluginpath', 'pluginpath'],
    ['--mockdir', 'mockdir'],
    ['--mockuser', 'mockuser'],
    ['--server', 'server'],
    ['--pkgurl', 'pkgurl'],
  ] as const)('hands %s on as %s', (flag, key) => {
    expect(parseDaemonArguments([flag, '-odd value']).overrides).toEqual({
      [key]: { flag, text: '-odd value' },
    });
  });

  it.each([
    ['12', '12'],
    ['-1', '-1'],
    ['0', '0'],
    ['010', '8'],
    ['0x1F', '31'],
    ['0b101', '5'],
  ])('reads the number %s as optparse does', (text, digits) => {
    for (const flag of ['maxjobs', 'minspace', 'sleeptime'] as const) {
      expect(parseDaemonArguments([`--${flag}`, text]).overrides[flag]?.text).toBe(digits);
    }
  });

  it('collects plugins', () => {
    const args = parseDaemonArguments(['--plugin', 'a', '--plugin=b']);

    expect(args.overrides.plugin).toEqual({ flag: '--plugin', text: 'a b' });
  });

  it('lets the last of two win', () => {
    expect(parseDaemonArguments(['--user', 'a', '--user', 'b']).overrides.user?.text).toBe('b');
  });

  it.each([
    [['--maxjobs', 'many'], '--maxjobs'],
    [['--maxjobs', '08'], '--maxjobs'],
    [['--sleeptime'], '--sleeptime'],
    [['--no-such-flag'], '--no-such-flag'],
    [['start'], 'too many arguments'],
  ])('refuses %j with exit code 2', (argv, message) => {
    const error = refusal(...argv);

    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(message);
  });

  it('answers --help with the flags and exit code 0', () => {
    const error = refusal('--help');

    expect(error.exitCode).toBe(0);
    expect(error.message).toContain('--force-lock');
    expect(error.message).not.toContain('--debug-mock');
  });
});

describe('logLevelOf', () => {
  const withLevel = (level: Config['kojid']['log_level']): Pick<Config, 'kojid'> =>
    // Only log_level is looked at.
    ({ kojid: { log_level: level } }) as Pick<Config, 'kojid'>;

  it.each([
    [false, false, null, 'warn'],
    [false, false, '', 'warn'],
    [false, false, 'ERROR', 'error'],
    [false, false, 'CRITICAL', 'fatal'],
    [false, false, 'INFO', 'info'],
    [false, false, 'DEBUG', 'debug'],
    [true, false, 'ERROR', 'info'],
    [true, true, 'ERROR', 'debug'],
  ] as const)('verbose %s, debug %s, log_level %s: %s', (verbose, debug, level, expected) => {
    expect(logLevelOf({ verbose, debug }, withLevel(level))).toBe(expected);
  });
});

describe('parseDoctorArguments', () => {
  it("takes the daemon's options and one of its own", () => {
    expect(parseDoctorArguments(['-c', '/x.conf'])).toMatchObject({ configPath: '/x.conf', quick: false });
    expect(parseDoctorArguments(['--quick', '-c', '/x.conf']).quick).toBe(true);
    expect(() => parseDaemonArguments(['--quick'])).toThrow(CommandLineError);
    expect(() => parseDoctorArguments(['--help'])).toThrow(/--quick/);
  });
});
