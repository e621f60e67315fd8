import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const run = promisify(execFile);

it.each(['configure', 'start'])(
  'scripts/engine.sh %s talks to the podman of this host, whatever the environment names',
  async (command) => {
    const directory = await mkdtemp(join(tmpdir(), 'adjutant-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const heard = join(directory, 'heard');
    // It answers as a podman whose service runs as soon as it was started, so that the script has no reason to wait.
    const stub = `#!/bin/bash
echo "\${CONTAINER_HOST-}\${CONTAINER_CONNECTION-} $*" >>${heard}
case "$*" in
  --version) echo "podman version 5.4.2" ;;
  "system service"*)
    socket=\${@: -1}
    ${process.execPath} -e 'require("node:net").createServer().listen(process.argv[1]); setTimeout(process.exit, 2000)' "\${socket#unix://}" ;;
esac
`;
    await writeFile(join(directory, 'podman'), stub);
    await chmod(join(directory, 'podman'), 0o755);
    const env = {
      PATH: `${directory}:${process.env['PATH']}`,
      HOME: directory,
      KOJI_ADJUTANT_STATE: directory,
      CONTAINER_HOST: 'unix:///nonexistent.sock',
      CONTAINER_CONNECTION: 'elsewhere',
    };

    await run(join(import.meta.dirname, '../../scripts/engine.sh'), [command], { env });

    const calls = (await readFile(heard, 'utf8')).trimEnd().split('\n');
    expect(calls).toContain(' --version');
    if (command === 'start') expect(calls).toContainEqual(expect.stringMatching(/^ system service/));
    for (const call of calls) expect(call).toMatch(/^ /);
  },
);
