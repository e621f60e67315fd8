import { describe, expect, it } from 'vitest';
import { keptLog } from '../../test/support/silent-log.ts';

describe('createLogger', () => {
  it('writes lines of JSON with the time, and no secret', () => {
    const { log, lines } = keptLog();

    log.info({ password: 'p', session: { key: 'k', 'session-key': 's' }, user: 'u' }, 'text');
    log.debug('not shown');

    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      password: '[secret]',
      session: { key: '[secret]', 'session-key': '[secret]' },
      user: 'u',
      msg: 'text',
    });
    expect(lines[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });
});
