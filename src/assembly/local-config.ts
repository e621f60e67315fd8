import type { ConfigFiles } from '../config/format/file-system.ts';
import { loadConfig, type Overrides } from '../config/load.ts';
import type { Config } from '../config/schema.ts';

/**
 * The configuration of a command that needs no daemon: that of the builder where a file is named, else defaults and
 * the environment's. Throws `ConfigError`.
 */
export function localConfig(
  configPath: string | undefined,
  overrides: Overrides,
  env: NodeJS.ProcessEnv,
): Config {
  if (configPath !== undefined) return loadConfig({ configPath, overrides, env });
  // There is no hub and no login, unless the command says so; without these they would be missed.
  const nobody = { flag: '', text: 'nobody' };
  const without = {
    server: { flag: '', text: 'http://localhost/kojihub' },
    topurl: { flag: '', text: 'http://localhost/kojifiles' },
  };
  return loadConfig({
    env,
    files: noFiles,
    overrides: { ...without, ...overrides, user: nobody, password: nobody },
  });
}

/** The configuration of a daemon that happens to be here does not count. */
const noFiles: ConfigFiles = {
  kind: () => 'missing',
  readable: () => false,
  read: (path) => {
    throw new Error(`${path} is not read`);
  },
  list: () => [],
};
