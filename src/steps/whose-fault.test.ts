import { describe, expect, it } from 'vitest';
import { ImageProgramFailed, StepNotBegun, whyImageFailed, whyNotBegun } from './whose-fault.ts';

const unreadable = '/bin/bash: /adjutant/in/build-1.sh: Permission denied\n';

describe('whyNotBegun', () => {
  it.each([
    [126, unreadable],
    [127, '/bin/bash: /adjutant/in/source-2.sh: No such file or directory\n'],
    [127, 'Fatal glibc error: CPU does not support x86-64-v3\n'],
  ])('blames this host for status %i and %j', (code, said) => {
    const why = whyNotBegun('rpmbuild', code, said);

    expect(why).toBeInstanceOf(StepNotBegun);
    expect(why?.blame).toBe('builder');
    expect(why?.message).toContain(said.trim());
  });

  it.each([
    [1, unreadable],
    [226, unreadable],
    [127, '/bin/bash: error while loading shared libraries: libtinfo.so.6: cannot open shared object file\n'],
    [126, ''],
  ])('does not for status %i and %j', (code, said) => {
    expect(whyNotBegun('rpmbuild', code, said)).toBeNull();
  });
});

it('shows nothing of a container that could do more than be read', () => {
  const said = `/bin/bash: /adjutant/in/a.sh: \x1b[2J${'x'.repeat(1000)}`;

  expect(whyNotBegun('rpmbuild', 126, said)?.message).toMatch(/a\.sh: \\x1b\[2Jx{1,300} \(/);
});

describe('whyImageFailed', () => {
  it.each([
    [139, '', 'choose packages for @build was ended by signal 11 (SIGSEGV): '],
    [137, 'half a line', 'choose packages for @build was ended by signal 9 (SIGKILL): '],
    [
      127,
      'a\nbash: line 9: /usr/bin/dnf: not found\n',
      'ended with status 127 (bash: line 9: /usr/bin/dnf: not found): ',
    ],
    [126, '', 'ended with status 126: '],
  ])('blames the image or the host for status %i', (code, said, how) => {
    const why = whyImageFailed('choose packages for @build', 'localhost/image:1', code, said);

    expect(why).toBeInstanceOf(ImageProgramFailed);
    expect(why).toMatchObject({ blame: 'builder', faultCode: 1012 });
    expect(why?.message).toContain(how);
    expect(why?.message).toContain('bootstrap image localhost/image:1');
  });

  it.each([0, 1, 3, 98, 100, 128, 200, 255])('does not for status %i', (code) => {
    expect(whyImageFailed('choose packages for @build', 'localhost/image:1', code, '')).toBeNull();
  });
});
