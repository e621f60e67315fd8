import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderReference } from './reference.ts';

describe('docs/config-reference.md', () => {
  it('is what the option tables say; if not: npm run docs', () => {
    const committed = readFileSync(new URL('../../../docs/config-reference.md', import.meta.url), 'utf8');

    expect(committed).toBe(renderReference());
  });
});
