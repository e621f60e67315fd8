import { z } from 'zod';
import { ContainerError, type ContainerErrorCode } from '../../errors.ts';

/** How dockerode reports a status that was not asked for. */
const Refusal = z.object({ statusCode: z.number().int(), message: z.string() });

const Errno = z.object({ code: z.string(), message: z.string() });

/** Errors of a socket that mean: nothing listens, or the listener has gone in the middle of it. */
const awayErrnos: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket; start podman.socket, or set the path of a socket that exists',
  ECONNREFUSED: 'nothing listens there; start podman.socket',
  EACCES: 'permission denied; run as the user who owns the socket, or give this user access to it',
  ECONNRESET: 'the engine closed the connection',
  EPIPE: 'the engine closed the connection',
  ECONNABORTED: 'the engine closed the connection',
  ERR_STREAM_PREMATURE_CLOSE: 'the engine closed the connection in the middle of an answer',
};

/** Podman's phrases, most telling first; the status alone does not say which (a used name is a 500). */
const phrases: readonly (readonly [RegExp, ContainerErrorCode])[] = [
  [/no such container|no container with name or ID/i, 'no-such-container'],
  [/image not known|no such image/i, 'image-missing'],
  [/name is already in use|name ".*" is already in use/i, 'bad-spec'],
];

/**
 * The `ContainerError` for anything a request to the engine can throw: `runtime-down` when there was
 * no answer or only a part of one, else by what podman says, else `engine-failed`. `what` names the
 * attempt (`create container x`), `notFound` says what a 404 means that no phrase explains.
 */
export function classifyError(error: unknown, what: string, notFound?: ContainerErrorCode): ContainerError {
  if (error instanceof ContainerError) return error;
  const refusal = Refusal.safeParse(error);
  if (refusal.success) {
    // The engine's own sentence, without what dockerode puts around it.
    const said = refusal.data.message.replace(/^\(HTTP code \d+\) .*? - /, '').trim();
    const otherwise = refusal.data.statusCode === 404 ? notFound : undefined;
    const code = phrases.find(([phrase]) => phrase.test(said))?.[1] ?? otherwise ?? 'engine-failed';
    return new ContainerError(code, `cannot ${what}: ${said}`, { cause: error });
  }
  const errno = Errno.safeParse(error);
  if (errno.success) {
    const hint = awayErrnos[errno.data.code];
    if (hint !== undefined)
      return new ContainerError('runtime-down', `cannot ${what}: ${hint}`, { cause: error });
  }
  return new ContainerError('engine-failed', `cannot ${what}`, { cause: error });
}

/** What went wrong with a pull, from the text of the registry or of podman. */
export function classifyPullError(text: string): 'image-missing' | 'image-denied' | 'image-unreachable' {
  // A registry that wants a login says so with the same words for an image it does not have: believe it.
  if (/unauthorized|denied|authentication required|forbidden|invalid username\/password/i.test(text)) {
    return 'image-denied';
  }
  // toomanyrequests, proxies and timeouts may carry "not found" of something else: these come first.
  if (
    /toomanyrequests|timeout|deadline exceeded|connection re|no such host|no route|unreachable|x509|tls|\bEOF\b|status: 5\d\d|5\d\d (internal|bad|service|gateway)|server misbehaving/i.test(
      text,
    )
  ) {
    return 'image-unreachable';
  }
  if (
    /manifest unknown|name unknown|not found|no image found|invalid image name|invalid reference|did not resolve|status: 404/i.test(
      text,
    )
  ) {
    return 'image-missing';
  }
  return 'image-unreachable';
}
