import { z } from 'zod';
import { HubFault, HubProtocolError } from '../hub/faults.ts';
import type { HubSession } from '../hub/session/session.ts';
import { type AppendUpload, CheckedUpload } from './append-upload.ts';

const Answers = z.array(
  z.union([
    z.tuple([CheckedUpload.nullable()]),
    z.looseObject({ faultCode: z.int(), faultString: z.string() }),
  ]),
);

/**
 * Has the hub confirm the sizes of finished uploads, all in one call. Its answers to the chunks count the bytes
 * it has read, not those on its disk; so kojid asks once for each finished file, though not for logs
 * (`ClientSession.fastUpload`, `koji/daemon.py fast_incremental_upload`). Throws BuilderError `upload-failed`.
 */
export async function confirmUploads(
  session: HubSession,
  uploads: readonly AppendUpload[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (uploads.length === 0) return;
  const calls = uploads.map(({ target: { directory, name, volume } }) => ({
    methodName: 'checkUpload',
    params: volume === undefined ? [directory, name] : [directory, name, null, null, volume],
  }));
  const ask = (): Promise<z.infer<typeof Answers>> =>
    // The hub counts every multiCall as one that writes, so that it refuses to repeat it (1009).
    session.call('multiCall', [calls], Answers, { signal, skipJournal: true, retryError: ask });
  const answers = await ask();
  for (const [index, upload] of uploads.entries()) {
    const answer = answers[index];
    if (answer === undefined)
      throw new HubProtocolError(`the hub answered ${answers.length} of ${calls.length} calls at once`);
    if (!Array.isArray(answer)) throw new HubFault(answer.faultCode, answer.faultString);
    upload.compare(answer[0]);
  }
}
