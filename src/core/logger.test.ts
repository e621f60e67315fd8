import { describe, expect, it } from 'vitest';
import { keptLog } from '../../test/support/silent-log.ts';
import { createLogger } from './logger.ts';
import { isPrintable } from './printable.ts';

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

  it('writes lines that do nothing on a terminal', () => {
    let line = '';
    const log = createLogger('info', { write: (text) => (line = text) });
    const odd = 'a\x1b[2J\x9b1m\x7f\u202e\n\u2028\udcff';

    log.info({ name: odd }, odd);

    expect(isPrintable(line.trimEnd())).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ name: odd, msg: odd });
  });
});
