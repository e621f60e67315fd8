import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join, posix } from 'node:path';
import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type Call, double, type MethodTable, method } from './call.ts';
import { generic, Refusal } from './faults.ts';
import { withinDirectory } from './paths.ts';
import { assertHost, assertLogin } from './sessions.ts';
import { assertTaskOfHost } from './tasks.ts';

/** A raw upload: the query string of its request, and its body. */
export interface UploadRequest {
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
}

type Digest = (data: Uint8Array) => string;

const digests: Readonly<Record<string, Digest>> = {
  adler32: (data) => adler32(data).toString(16).padStart(8, '0'),
  md5: (data) => createHash('md5').update(data).digest('hex'),
  sha256: (data) => createHash('sha256').update(data).digest('hex'),
};

function digestNamed(name: string): Digest {
  const digest = Object.hasOwn(digests, name) ? digests[name] : undefined;
  if (digest === undefined) throw generic(`Unsupported verify type: ${name}`);
  return digest;
}

/** The checksum of RFC 1950, as zlib counts it from 1. */
export function adler32(data: Uint8Array): number {
  const modulus = 65_521;
  // The largest block for which the sums stay below 2^32.
  const block = 5552;
  let a = 1;
  let b = 0;
  for (let start = 0; start < data.length; start += block) {
    const end = Math.min(start + block, data.length);
    for (let i = start; i < end; i += 1) {
      a += data[i] ?? 0;
      b += a;
    }
    a %= modulus;
    b %= modulus;
  }
  return ((b << 16) | a) >>> 0;
}

/**
 * Where an upload goes, below `work/`. A writer must own the place: a task's directory belongs to the host that
 * runs the task, any other to the first user who writes into it (`get_upload_path`).
 */
function uploadPath(call: Call, directory: string, name: string, create: boolean): string {
  if (name !== basename(name) || name.startsWith('.')) throw generic(`Invalid upload filename: ${name}`);
  const normalized = posix.normalize(directory);
  if (normalized.startsWith('..')) throw generic(`Invalid upload directory: ${directory}`);
  const parts = normalized.split('/');
  const isTaskDirectory = parts[0] === 'tasks';
  if (create && isTaskDirectory) {
    const taskId = Number(parts[2]);
    if (parts.length < 3 || !/^\d+$/.test(parts[2] ?? ''))
      throw generic(`Invalid task upload directory: ${directory}`);
    assertTaskOfHost(call, taskId, assertHost(call).id);
  }
  const path = join(call.hub.paths.work, withinDirectory(normalized));
  if (create) {
    mkdirSync(path, { recursive: true });
    if (!isTaskDirectory) claimDirectory(call, path, directory);
  }
  return join(path, name);
}

function claimDirectory(call: Call, path: string, shown: string): void {
  const userId = assertLogin(call).user_id;
  const ownerFile = join(path, '.user');
  if (!existsSync(ownerFile)) writeFileSync(ownerFile, String(userId));
  else if (Number(readFileSync(ownerFile, 'utf8')) !== userId)
    throw generic(`Invalid upload directory, not owner: ${shown}`);
}

const UploadQuery = z.object({
  filename: z.string(),
  filepath: z.string().default(''),
  fileverify: z.string({ error: 'fileverify is missing' }).min(1),
  offset: z.coerce.number().int().default(0),
  overwrite: z.string().default(''),
});

/** Takes one chunk of a file (`handle_upload`), and answers with what was received. */
export function readUpload(call: Call, { query, body }: UploadRequest): RpcValue {
  const parsed = UploadQuery.safeParse(Object.fromEntries(query));
  if (!parsed.success)
    throw new Refusal(faultCodes.unhandled, parsed.error.issues.map((issue) => issue.message).join(', '));
  const { filename, filepath, fileverify, offset, overwrite } = parsed.data;
  const path = uploadPath(call, filepath, filename, true);
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (existing?.isSymbolicLink() === true) throw generic(`destination is a symlink: ${path}`);
  if (existing !== undefined && !existing.isFile()) throw generic(`destination not a file: ${path}`);
  if (existing !== undefined && offset === 0 && overwrite === '')
    throw generic(`upload path exists: ${path}`);
  const hexdigest = digestNamed(fileverify)(body);
  const at = writeChunk(path, body, offset, overwrite !== '');
  return { size: body.length, fileverify, offset: at, hexdigest };
}

/** Writes at an offset, -1 for the end. Overwriting cuts the file there first; otherwise the chunk must end the file. */
function writeChunk(path: string, body: Uint8Array, offset: number, overwrite: boolean): number {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
  try {
    const start = offset === -1 ? fstatSync(file).size : offset;
    if (overwrite && offset !== -1) ftruncateSync(file, start);
    writeAll(file, body, start);
    const length = fstatSync(file).size;
    if (!overwrite && length !== start + body.length)
      throw generic(
        `Incorrect upload length for ${path} - Expected ${start + body.length}, actual ${length}`,
      );
    return start;
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, data: Uint8Array, start: number): void {
  let written = 0;
  while (written < data.length)
    written += writeSync(file, data, written, data.length - written, start + written);
}

const Checksum = z.union([z.string(), z.tuple([z.string(), z.string()])]);

/** The checks on uploaded files and the old way to upload, inside XML-RPC. */
export const uploadMethods: MethodTable = {
  checkUpload: method(
    { path: z.string(), name: z.string(), verify: z.string().nullish(), tail: z.int().nullish() },
    (call, { path, name, verify, tail }) => {
      const file = uploadPath(call, path, name, false);
      if (!existsSync(file)) return null;
      const content = readFileSync(file);
      const stat = lstatSync(file);
      const info = { size: content.length, mtime: double(stat.mtimeMs / 1000) };
      if (verify === undefined || verify === null || verify === '') return info;
      if (typeof tail === 'number' && tail < 0) throw generic(`Invalid tail value: ${tail}`);
      const checked =
        typeof tail === 'number' ? content.subarray(Math.max(content.length - tail, 0)) : content;
      return { ...info, sumlength: checked.length, hexdigest: digestNamed(verify)(checked) };
    },
  ),
  uploadFile: method(
    {
      path: z.string(),
      name: z.string(),
      size: z.int().nullable(),
      md5sum: Checksum.nullable(),
      offset: z.int(),
      data: z.string(),
    },
    (call, { path, name, size, md5sum, offset, data }) => {
      assertLogin(call);
      const content = Buffer.from(data, 'base64');
      const [verify, expected] = typeof md5sum === 'string' ? ['md5', md5sum] : (md5sum ?? []);
      const digest = verify === undefined ? undefined : digestNamed(verify);
      const isLast = offset === -1;
      if (!isLast && size !== null && size !== content.length) return false;
      if (!isLast && digest !== undefined && digest(content) !== expected) return false;
      const file = uploadPath(call, path, name, true);
      const existing = lstatSync(file, { throwIfNoEntry: false });
      if (existing !== undefined && !existing.isFile()) throw generic(`destination not a file: ${file}`);
      if (existing !== undefined && offset === 0 && !name.endsWith('.log'))
        throw generic(`file already exists: ${file}`);
      writePart(file, content, offset, size);
      return !isLast || digest === undefined || digest(readFileSync(file)) === expected;
    },
  ),
};

/** Writes one part; the first starts the file from scratch, the last (offset -1) cuts it to its full size. */
function writePart(path: string, content: Uint8Array, offset: number, size: number | null): void {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o666);
  try {
    if (offset === 0 || (offset === -1 && size === content.length)) ftruncateSync(file, 0);
    writeAll(file, content, offset === -1 ? fstatSync(file).size : offset);
    if (offset === -1 && size !== null) ftruncateSync(file, size);
  } finally {
    closeSync(file);
  }
}
