import { describe, expect, it } from 'vitest';
import { type MemoryEntry, memoryFiles } from '../../test/support/memory-files.ts';
import type { Overrides } from '../config/load.ts';
import { checkConfig } from './check-config.ts';

function check(
  kojid: string,
  more: Record<string, MemoryEntry> = {},
  env: Record<string, string> = {},
  overrides: Overrides = {},
): { readonly code: number; readonly lines: readonly string[] } {
  const files = memoryFiles({ '/mnt/koji': null, '/k.conf': kojid, ...more });
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const code = checkConfig({ configPath: '/k.conf', overrides }, env, out, files);
  return { code, lines: text.trimEnd().split('\n') };
}

describe('checkConfig', () => {
  it('prints what differs from the defaults with its source, and masks secrets', () => {
    const kojid =
      '[kojid]\nserver = http://h/x\ntopurl = http://a http://b\nuser = b\npassword = hunter2\nsleeptime = 15\nvendor = Me\nRLIMIT_CORE = 0\n';

    const { code, lines } = check(
      kojid,
      { '/adjutant.conf': '[adjutant]\npolicy_enabled = no\nbuild_memory = 64M\n' },
      { KOJI_ADJUTANT_CONTAINER_LABELS: 'a=b' },
      { maxjobs: { flag: '--maxjobs', text: '3' } },
    );

    expect(lines).toEqual([
      '[kojid]',
      'server = http://h/x  (/k.conf:2)',
      'topurl = http://a http://b  (/k.conf:3)',
      'user = b  (/k.conf:4)',
      'password = [secret]  (/k.conf:5)',
      'maxjobs = 3  (--maxjobs)',
      'vendor = Me  (/k.conf:7)',
      '[adjutant]',
      'policy_enabled = no  (/adjutant.conf:2)',
      'container_labels = {"a":"b"}  ($KOJI_ADJUTANT_CONTAINER_LABELS)',
      'build_memory = 67108864  (/adjutant.conf:3)',
      'RLIMIT_CORE = 0',
      'login: password',
      'The configuration is fine.',
    ]);
    expect(code).toBe(0);
  });

  it('prints warnings and still succeeds', () => {
    const { code, lines } = check(
      '[kojid]\nserver = http://h\ntopurl = http://h\nuser = b\npassword = p\nca = /x\n',
    );

    expect(lines).toContain('warning: /k.conf:6: ca: has no effect, and kojid stops at it; remove it');
    expect(code).toBe(0);
  });

  it('prints all problems and warnings, never a secret, and returns 78', () => {
    const { code, lines } = check('[kojid]\ntopurl = x\npassword = hunter2\nca = /x\n');

    expect(lines).toEqual([
      'error: /k.conf:2: topurl: "x" is not a web address; write one that begins with http:// or https://',
      'error: /k.conf:3: password: a password without user cannot log in; set user',
      expect.stringMatching(/^error: server: the server option is required/),
      'warning: /k.conf:4: ca: has no effect, and kojid stops at it; remove it',
      'The configuration has 3 problems; see above.',
    ]);
    expect(code).toBe(78);
  });
});
