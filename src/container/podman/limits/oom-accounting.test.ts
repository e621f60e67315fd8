import { expect, it } from 'vitest';
import { OomAccounting } from './oom-accounting.ts';

it('gives what nobody else has told of to the one who asks', async () => {
  let onHost = 40;
  const ledger = new OomAccounting(() => Promise.resolve(onHost));
  const before = await ledger.mark();
  onHost += 2;

  expect(await ledger.untold(before)).toBe(2);
  expect(await ledger.untold(await ledger.mark())).toBe(0);
});

it('asks the others first, and each kill is told once', async () => {
  let onHost = 0;
  const ledger = new OomAccounting(() => Promise.resolve(onHost));
  const before = await ledger.mark();
  let seen = 0;
  const tellKills = async () => {
    ledger.tell(1 - seen);
    seen = 1;
  };
  const joined = ledger.join({ tellKills });
  onHost = 1;

  expect(await ledger.untold(before)).toBe(0);
  onHost = 2;
  expect(await ledger.untold(before)).toBe(1);
  joined[Symbol.dispose]();
});

it('does not take for told what happens while the others are asked', async () => {
  let onHost = 1;
  const ledger = new OomAccounting(() => Promise.resolve(onHost));
  const before = { onHost: 0, told: 0 };
  let seen = 0;
  // Another container loses a process between the two counts.
  ledger.join({
    async tellKills() {
      if (seen > 0) return;
      seen = 1;
      onHost = 2;
      ledger.tell(1);
    },
  });

  expect(await ledger.untold(before)).toBe(1);
});

it("knows this host's own count, which does not fall", async () => {
  const ledger = new OomAccounting();

  const mark = await ledger.mark();

  expect(mark.onHost).toBeGreaterThanOrEqual(0);
  expect(await ledger.untold(mark)).toBeGreaterThanOrEqual(0);
});
