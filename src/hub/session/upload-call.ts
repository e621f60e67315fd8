import { createHash } from 'node:crypto';
import { z } from 'zod';
import { encodeCall, type RpcValue, withKeywords } from '../xmlrpc/codec.ts';
import { adler32, adler32Hex } from './adler32.ts';
import type { UploadChunk } from './session.ts';
import { parseAnswer } from './session-info.ts';

/** One chunk of a file as a call that may be sent again, since it writes the same bytes to the same place. */
export interface UploadCall {
  readonly method: 'rawUpload' | 'uploadFile';
  readonly body: Uint8Array;
  readonly once: false;
  /** The arguments of `rawUpload`, which are not in its body. */
  readonly uploadQuery?: URLSearchParams;
  /** What is wrong with what the hub has received, by its own answer; null when nothing is. */
  problemOf(answer: RpcValue): string | null;
}

const RawAnswer = z.object({ size: z.int(), hexdigest: z.string() });

/** The chunk as it is, its arguments in the query string (`ClientSession._prepUpload`). */
export function rawUploadCall({ directory, name, offset, bytes, volume }: UploadChunk): UploadCall {
  const uploadQuery = new URLSearchParams({
    filename: name,
    filepath: directory,
    fileverify: 'adler32',
    offset: String(offset),
    overwrite: '1',
    ...(volume !== undefined && { volume }),
  });
  return {
    method: 'rawUpload',
    body: bytes,
    once: false,
    uploadQuery,
    problemOf(answer) {
      const { size, hexdigest } = parseAnswer('rawUpload', RawAnswer, answer);
      const wanted = adler32Hex(adler32(bytes));
      if (size === bytes.length && hexdigest === wanted) return null;
      return `the hub wrote ${size} bytes with checksum ${hexdigest} instead of ${bytes.length} with ${wanted}`;
    },
  };
}

/**
 * The chunk as base64 in an XML-RPC call (`ClientSession.uploadWrapper`). At offset 0 the hub takes only new
 * files and logs; sent as a last part that is all of the file (offset -1), the first chunk replaces any
 * file, as a raw one does, and the hub compares what it has written.
 */
export function uploadFileCall({ directory, name, offset, bytes, volume }: UploadChunk): UploadCall {
  const checksum = ['sha256', createHash('sha256').update(bytes).digest('hex')];
  const place = offset === 0 ? -1 : offset;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  const keywords = volume === undefined ? {} : { volume };
  const params = withKeywords([directory, name, bytes.length, checksum, place, data], keywords);
  return {
    method: 'uploadFile',
    body: Buffer.from(encodeCall('uploadFile', params)),
    once: false,
    problemOf: (answer) =>
      parseAnswer('uploadFile', z.boolean(), answer)
        ? null
        : `the hub finds ${bytes.length} bytes of another size or checksum than they were sent with`,
  };
}
