import { describe, expect, it } from 'vitest';
import { containerName, workerIdOf } from './names.ts';

describe('names of containers', () => {
  it('differ for two workers of the same name with the same task, and stay the same for each', () => {
    const one = workerIdOf('builder.example.com', '/var/lib/one');
    const other = workerIdOf('builder.example.com', '/var/lib/other');

    expect(one).toMatch(/^builder\.example\.com-[0-9a-f]{8}$/);
    expect(containerName(one, 5, 9, 'build', 1)).toMatch(/^koji-adjutant-[0-9a-f]{8}-5-9-build-1$/);
    expect(containerName(one, 5)).toBe(containerName(workerIdOf('builder.example.com', '/var/lib/one'), 5));
    expect(containerName(one, 5)).not.toBe(containerName(other, 5));
  });
});
