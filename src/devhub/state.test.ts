import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { State } from './state.ts';

describe('State', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'devhub-state-'));
    file = join(dir, 'state.jsonl');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  /** Opens the state, lets `work` happen, and closes it as a stopped process does: without a last commit. */
  function withState<Result>(work: (state: State) => Result): Result {
    const state = new State(dir);
    try {
      return work(state);
    } finally {
      state.close();
    }
  }

  const names = (state: State) => state.tables.packages.all().map((row) => row.name);

  it('keeps what was committed, and nothing else', () => {
    withState((state) => {
      state.tables.packages.insert({ name: 'kept' });
      const { id } = state.tables.packages.insert({ name: 'deleted' });
      state.tables.packages.delete(id);
      state.commit();
      state.tables.packages.insert({ name: 'lost' });
    });

    expect(withState(names)).toEqual(['kept']);
  });

  it('rolls back to a savepoint', () => {
    const left = withState((state) => {
      const row = state.tables.packages.insert({ name: 'before' });
      const savepoint = state.savepoint();
      state.tables.packages.update(row.id, { name: 'changed' });
      state.tables.packages.insert({ name: 'after' });
      state.rollBack(savepoint);
      return names(state);
    });

    expect(left).toEqual(['before']);
  });

  it('never gives an id twice, not even one that was rolled back', () => {
    const [first, second] = withState((state) => {
      const lost = state.tables.packages.insert({ name: 'a' });
      state.rollBack();
      return [lost.id, state.tables.packages.insert({ name: 'b' }).id];
    });

    expect(second).not.toBe(first);
  });

  it('takes a line that a crash cut off as never written', () => {
    withState((state) => {
      state.tables.packages.insert({ name: 'whole' });
      state.commit();
    });
    const before = readFileSync(file).length;
    appendFileSync(file, '[["packages",2,{"id":2,"name":"cut off"}]]\n');
    truncateSync(file, before + 20);

    expect(withState(names)).toEqual(['whole']);
  });

  it('tells which line is damaged', () => {
    withState(() => undefined);
    appendFileSync(file, '[["packages",2,{"id":2,"nam":"wrong"}]]\n');

    expect(() => new State(dir)).toThrow(/state\.jsonl, line 2, is damaged/);
  });
});
