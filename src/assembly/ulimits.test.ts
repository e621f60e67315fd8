import { describe, expect, it } from 'vitest';
import { configuredUlimits, parseLimits, readHostLimits, ulimitsOf } from './ulimits.ts';

const text = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max core file size        0                    unlimited            bytes     
Max processes             96365                96365                processes 
Max open files            20000                20000                files     
Max nice priority         0                    0                    
`;

describe('parseLimits', () => {
  it('reads what the kernel prints', () => {
    expect(parseLimits(text)).toEqual({
      cpu: { soft: -1, hard: -1 },
      core: { soft: 0, hard: -1 },
      nproc: { soft: 96_365, hard: 96_365 },
      nofile: { soft: 20_000, hard: 20_000 },
      nice: { soft: 0, hard: 0 },
    });
  });

  it('knows all limits of this machine, and how many processes there can be', async () => {
    const limits = await readHostLimits();

    expect(Object.keys(limits)).toHaveLength(16);
    expect(limits['nproc']?.hard).toBeGreaterThan(0);
    expect(limits['nproc']?.hard).toBeLessThanOrEqual(2 ** 22);
  });
});

describe('ulimitsOf', () => {
  it('gives builds the hard limits of the host, and the soft one for files that programs begin with', () => {
    expect(ulimitsOf(parseLimits(text))).toEqual({
      nofile: { soft: 1024, hard: 20_000 },
      nproc: { soft: 96_365, hard: 96_365 },
    });
  });

  it('asks for no more files than an engine may give', () => {
    const unlimited = { soft: -1, hard: -1 };

    expect(ulimitsOf({ nofile: unlimited, nproc: unlimited })).toEqual({
      nofile: { soft: 1024, hard: 524_288 },
      nproc: unlimited,
    });
    expect(ulimitsOf({ nofile: { soft: 256, hard: 512 } }).nofile).toEqual({ soft: 512, hard: 512 });
  });
});

describe('configuredUlimits', () => {
  it('leaves a hard limit that is not given as it is', () => {
    const host = parseLimits(text);
    const configured = {
      nofile: { soft: 4096, hard: null },
      core: { soft: -1, hard: null },
      nproc: { soft: 1_000_000, hard: null },
      stack: { soft: 5, hard: 6 },
    };

    expect(configuredUlimits(configured, host)).toEqual({
      nofile: { soft: 4096, hard: 20_000 },
      core: { soft: -1, hard: -1 },
      nproc: { soft: 96_365, hard: 96_365 },
      stack: { soft: 5, hard: 6 },
    });
  });
});
