import { describe, expect, it } from 'vitest';
import { socketCandidates } from './socket.ts';

const paths = (search: Parameters<typeof socketCandidates>[0]) =>
  socketCandidates(search).map(({ path }) => path);

describe('socketCandidates', () => {
  it('tries nothing but the setting when there is one', () => {
    expect(paths({ explicit: 'unix:///a.sock', env: { CONTAINER_HOST: 'unix:///b.sock' }, uid: 0 })).toEqual([
      '/a.sock',
    ]);
    expect(paths({ explicit: '/a.sock', env: {}, uid: 0 })).toEqual(['/a.sock']);
  });

  it('takes CONTAINER_HOST before the usual place', () => {
    expect(paths({ env: { CONTAINER_HOST: 'unix:///b.sock' }, uid: 1000 })).toEqual(['/b.sock']);
  });

  it("knows root's and a user's service", () => {
    expect(paths({ env: {}, uid: 0 })).toEqual(['/run/podman/podman.sock']);
    expect(paths({ env: { XDG_RUNTIME_DIR: '/run/x' }, uid: 1000 })).toEqual(['/run/x/podman/podman.sock']);
    expect(paths({ env: {}, uid: 1000 })).toEqual(['/run/user/1000/podman/podman.sock']);
  });

  it.each(['ssh://host/run/podman.sock', 'tcp://127.0.0.1:1', 'podman.sock'])('refuses %s', (explicit) => {
    expect(() => socketCandidates({ explicit, env: {}, uid: 0 })).toThrow(/not a unix socket/);
  });
});
