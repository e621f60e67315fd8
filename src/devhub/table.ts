import { generic } from './faults.ts';

/** What a table tells its store about each change: the row before and after it. */
export type OnChange<Row> = (id: number, before: Row | undefined, after: Row | undefined) => void;

/**
 * Rows by id, in the order of their ids. Rows are never changed in place, so that a row that a caller holds stays
 * what it was. An id is used once, even when its row was rolled back.
 */
export class Table<Row extends { readonly id: number }> {
  readonly #name: string;
  readonly #rows = new Map<number, Row>();
  readonly #onChange: OnChange<Row>;
  #nextId = 1;

  constructor(name: string, onChange: OnChange<Row>) {
    this.#name = name;
    this.#onChange = onChange;
  }

  get(id: number | null | undefined): Row | undefined {
    return id === null || id === undefined ? undefined : this.#rows.get(id);
  }

  /** The row with an id that another row refers to; a missing one is damaged state, not a caller's mistake. */
  mustGet(id: number): Row {
    const row = this.#rows.get(id);
    if (row === undefined) throw new Error(`the hub's state has no row ${id} in table ${this.#name}`);
    return row;
  }

  find(matches: (row: Row) => boolean): Row | undefined {
    for (const row of this.#rows.values()) if (matches(row)) return row;
    return undefined;
  }

  filter(matches: (row: Row) => boolean): Row[] {
    return this.all().filter(matches);
  }

  all(): Row[] {
    return [...this.#rows.values()].sort((a, b) => a.id - b.id);
  }

  insert(columns: Omit<Row, 'id'>): Row {
    const id = this.#nextId;
    this.#nextId += 1;
    // `columns` has every column but the id, which is added here.
    const row = { ...columns, id } as Row;
    this.#rows.set(id, row);
    this.#onChange(id, undefined, row);
    return row;
  }

  /** Changes columns of one row; a row that is gone is refused as a query without result. */
  update(id: number, columns: Partial<Omit<Row, 'id'>>): Row {
    const before = this.#rows.get(id);
    if (before === undefined) throw generic('query returned no rows');
    const after = { ...before, ...columns };
    this.#rows.set(id, after);
    this.#onChange(id, before, after);
    return after;
  }

  delete(id: number): void {
    const before = this.#rows.get(id);
    if (before === undefined) return;
    this.#rows.delete(id);
    this.#onChange(id, before, undefined);
  }

  /** Puts back what was there, without telling anybody: for loading and for rolling back. */
  restore(id: number, row: Row | undefined): void {
    if (row === undefined) this.#rows.delete(id);
    else this.#rows.set(id, row);
    this.#nextId = Math.max(this.#nextId, id + 1);
  }
}
