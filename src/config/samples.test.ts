import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../../test/support/memory-files.ts';
import { describeConfig } from '../commands/check-config.ts';
import { loadConfig } from './load.ts';
import type { Config } from './schema.ts';

function sample(name: string): string {
  return readFileSync(new URL(`../../config/${name}`, import.meta.url), 'utf8');
}

function loadSamples(kojid: string, adjutant: string): Config {
  const files = memoryFiles({
    '/mnt/koji': null,
    '/e/kojid.conf': kojid,
    '/e/adjutant.conf': adjutant,
    '/etc/kojid/site.json': '{"version": "1.0", "rules": []}',
  });
  return loadConfig({ configPath: '/e/kojid.conf', env: {}, files });
}

/** Every `;key = value` with the comment sign taken away. */
function uncommented(text: string): string {
  return text.replaceAll(/^;(?=\w+ = )/gm, '');
}

describe('the sample files in config/', () => {
  it('load without a warning and change nothing but the hub and the login', () => {
    const config = loadSamples(sample('kojid.conf'), sample('adjutant.conf'));

    expect(config.warnings).toEqual([]);
    expect(describeConfig(config).map((line) => line.replace(/ +\(.*/, ''))).toEqual([
      '[kojid]',
      'server = https://koji.example.com/kojihub',
      'topurl = https://koji.example.com/kojifiles',
      'user = builder.example.com',
      'password = [secret]',
      '[adjutant]',
    ]);
  });

  it('have only valid keys behind their comment signs', () => {
    const kojid = uncommented(sample('kojid.conf')).replaceAll(/^(cert|serverca) = .*$/gm, '');
    const config = loadSamples(kojid, uncommented(sample('adjutant.conf')));

    expect(config.warnings).toEqual([]);
    expect(config.adjutant.container_mounts).toEqual([
      { source: '/srv/ccache', target: '/var/cache/ccache', readOnly: false, relabel: 'z' },
    ]);
  });
});
