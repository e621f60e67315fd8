import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskRefused } from './errors.ts';

/** Repo tasks need the hub's file tree; without it another host has to do them. */
export async function requireReposDirectory(topDir: string): Promise<void> {
  const repos = join(topDir, 'repos');
  const found = topDir === '' ? null : await stat(repos).catch(() => null);
  if (!found?.isDirectory()) throw new TaskRefused(`No access to repos dir ${repos}`, { soft: true });
}
