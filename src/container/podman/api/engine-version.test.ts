import { describe, expect, it } from 'vitest';
import { checkEngineVersion } from './engine-version.ts';

const check = (version: string | undefined) => () =>
  checkEngineVersion({ 'libpod-api-version': version, server: 'Docker/27.1' }, '/run/x.sock');

describe('checkEngineVersion', () => {
  it.each(['4.3.0', '4.3.1', '4.10.0', '5.0.0-rc1', '5.4.2', '10.0.0'])('takes podman %s', (version) => {
    expect(check(version)).not.toThrow();
  });

  it.each(['3.4.4', '4.0.0', '4.2.1', '0.9'])('refuses podman %s, and says what to do', (version) => {
    expect(check(version)).toThrow(
      `podman ${version} on /run/x.sock is older than 4.3, the oldest that is supported: update podman and start its service again`,
    );
  });

  it('refuses what is not podman', () => {
    expect(check(undefined)).toThrow('what answers on /run/x.sock is not podman (Docker/27.1)');
  });
});
