import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** What it takes to resume a session with the hub in another process. The key is a secret. */
const SavedSession = z.object({
  id: z.int(),
  key: z.string(),
  callnum: z.int(),
  master: z.int().nullable(),
  exclusive: z.boolean(),
  headerAuth: z.boolean(),
  savedMs: z.number().optional(),
  /** Hub and login that it belongs to. */
  whose: z.string(),
});
export type SavedSession = z.infer<typeof SavedSession>;

/**
 * Sessions in files that only their owner can read, one for each (`hub/session/session.ts SessionJournal`). `whose` names hub
 * and login, so that a changed configuration does not resume the session of another.
 */
export class SessionFiles {
  readonly #directory: string;
  readonly #whose: string;

  constructor(directory: string, whose: string) {
    this.#directory = directory;
    this.#whose = whose;
  }

  /** The sessions that are not closed, as far as this worker knows; the main one first. */
  async list(): Promise<readonly SavedSession[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const found: SavedSession[] = [];
    for (const name of names.filter((each) => each.endsWith('.json'))) {
      const saved = await this.#read(join(this.#directory, name));
      if (saved !== null) found.push(saved);
    }
    return found.toSorted((a, b) => Number(a.master !== null) - Number(b.master !== null));
  }

  /** Records a session so that a reader finds all of it or what was there before. */
  async save(state: Omit<SavedSession, 'whose'>): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const draft = `${this.#path(state.id)}.new`;
    try {
      await writeFile(draft, JSON.stringify({ ...state, whose: this.#whose }), { mode: 0o600 });
      await rename(draft, this.#path(state.id));
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** What was saved of a session of ours; null when there is none. */
  async find(id: number): Promise<SavedSession | null> {
    return this.#read(this.#path(id));
  }

  async remove(id: number): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** Forgets all: they are of no use any more. */
  async clear(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Null for one of another hub or login, and for one that cannot be read, which is removed. */
  async #read(path: string): Promise<SavedSession | null> {
    const parsed = await readFile(path, 'utf8').then(
      (text) => SavedSession.safeParse(tryJson(text)),
      () => null,
    );
    if (parsed?.success === true) return parsed.data.whose === this.#whose ? parsed.data : null;
    await rm(path, { force: true });
    return null;
  }

  #path(id: number): string {
    return join(this.#directory, `${id}.json`);
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
