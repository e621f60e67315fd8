import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type RowOf, rowSchemas, type TableName } from './rows.ts';
import { Table } from './table.ts';

type Tables = { readonly [Name in TableName]: Table<RowOf<Name>> };

const tableNames = z.enum(
  // Object.keys gives plain strings; these are the keys of rowSchemas.
  Object.keys(rowSchemas) as [TableName, ...TableName[]],
);
const LogLine = z.array(z.tuple([tableNames, z.int(), z.json()]));

interface Change {
  readonly table: TableName;
  readonly id: number;
  readonly after: unknown;
  undo(): void;
}

/**
 * All rows of the hub, in memory, with transactions, kept in one append-only file. Each committed transaction is
 * one line of that file; a line that a crash cut off is no transaction. Opening rewrites the file as a single line.
 */
export class State {
  readonly tables: Tables;
  readonly #path: string;
  #changes: Change[] = [];
  #file: number | undefined;

  constructor(dir: string) {
    this.#path = join(dir, 'state.jsonl');
    this.tables = this.#createTables();
    this.#load();
    this.#compact();
  }

  /** Whether anything was written since the last commit. */
  get isDirty(): boolean {
    return this.#changes.length > 0;
  }

  /** A point to which {@link rollBack} can return. */
  savepoint(): number {
    return this.#changes.length;
  }

  rollBack(savepoint = 0): void {
    for (const change of this.#changes.splice(savepoint).reverse()) change.undo();
  }

  /** Makes what was written since the last commit permanent, all of it or nothing. */
  commit(): void {
    if (this.#changes.length === 0) return;
    if (this.#file === undefined) throw new Error('the state of the development hub is closed');
    const line = this.#changes.map(({ table, id, after }) => [table, id, after ?? null]);
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
    this.#changes = [];
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #createTables(): Tables {
    const create = <Name extends TableName>(name: Name): Table<RowOf<Name>> => {
      const table = new Table<RowOf<Name>>(name, (id, before, after) =>
        this.#changes.push({ table: name, id, after, undo: () => table.restore(id, before) }),
      );
      return table;
    };
    return {
      events: create('events'),
      users: create('users'),
      channels: create('channels'),
      hosts: create('hosts'),
      sessions: create('sessions'),
      tags: create('tags'),
      targets: create('targets'),
      packages: create('packages'),
      tagPackages: create('tagPackages'),
      tagListing: create('tagListing'),
      externalRepos: create('externalRepos'),
      tagExternalRepos: create('tagExternalRepos'),
      builds: create('builds'),
      rpms: create('rpms'),
      tasks: create('tasks'),
      refusals: create('refusals'),
      buildroots: create('buildroots'),
      repos: create('repos'),
      repoRequests: create('repoRequests'),
      schedulerRuns: create('schedulerRuns'),
    };
  }

  #load(): void {
    if (!existsSync(this.#path)) return;
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    // Every whole line ends with a line feed: what follows the last one is nothing, or was cut off.
    lines.pop();
    lines.forEach((line, index) => {
      try {
        for (const [table, id, row] of LogLine.parse(JSON.parse(line))) this.#restore(table, id, row);
      } catch (error) {
        throw new Error(`${this.#path}, line ${index + 1}, is damaged; remove the directory to start anew`, {
          cause: error,
        });
      }
    });
  }

  #restore<Name extends TableName>(name: Name, id: number, row: unknown): void {
    // The schema of a table's name gives that table's rows; the compiler cannot follow it through the union.
    const table = this.tables[name] as unknown as Table<RowOf<Name>>;
    table.restore(id, row === null ? undefined : (rowSchemas[name].parse(row) as unknown as RowOf<Name>));
  }

  #compact(): void {
    const line = tableNames.options.flatMap((name) =>
      this.tables[name].all().map((row): unknown => [name, row.id, row]),
    );
    const draft = `${this.#path}.new`;
    writeFileSync(draft, `${JSON.stringify(line)}\n`);
    renameSync(draft, this.#path);
    this.#file = openSync(this.#path, 'a');
  }
}
