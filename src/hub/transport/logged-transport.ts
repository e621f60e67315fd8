import { describeError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { hidden, withoutLogins } from '../../core/redact.ts';
import { isStruct, RpcDouble, type RpcValue } from '../xmlrpc/codec.ts';
import { decodeCall, decodeResponse } from '../xmlrpc/decode.ts';
import type { HubAnswer, HubRequest, HubTransport } from './transport.ts';

/** Longer parameters and answers are cut in the log. */
const shownCharacters = 4096;

const secretMembers = new Set(['password', 'session-key', 'session_key', 'krbcc']);

/**
 * The transport, with every request and every answer written to the log at level debug: kojid's
 * `--debug-xmlrpc`. What kojid shows as sent, headers and login included, is decoded here, so that passwords
 * and session keys can be left out. Of uploads only the arguments are shown.
 */
export function loggedTransport(transport: HubTransport, log: Logger): HubTransport {
  let count = 0;
  async function post(request: HubRequest, signal?: AbortSignal): Promise<HubAnswer> {
    count += 1;
    const exchange = count;
    const { method, params } = describeRequest(request);
    const { 'Koji-Session-Id': sessionId, 'Koji-Session-Callnum': callnum } = request.headers;
    log.debug({ exchange, sessionId, callnum, method, params }, 'call to the hub');
    try {
      const answer = await transport.post(request, signal);
      log.debug({ exchange, method, sizeBytes: answer.body.length, ...describeAnswer(answer) }, 'answer');
      return answer;
    } catch (error) {
      log.debug({ exchange, method, error: withoutLogins(describeError(error)) }, 'no answer');
      throw error;
    }
  }
  return { url: transport.url, post, dropConnections: () => transport.dropConnections() };
}

/**
 * The value without passwords, session keys and the logins of URLs, as text for a log: JSON, cut when it is
 * long. Not for machines.
 */
export function showValue(value: RpcValue): string {
  const text = JSON.stringify(withoutSecrets(value), (_name, part: unknown) =>
    typeof part === 'bigint' ? part.toString() : part instanceof RpcDouble ? part.value : part,
  );
  const rest = text.length - shownCharacters;
  return rest > 0 ? `${text.slice(0, shownCharacters)}... and ${rest} characters more` : text;
}

function describeRequest({ query, body, headers }: HubRequest): { method: string; params: string } {
  if (headers['Content-Type'] !== 'text/xml') {
    const sent = new URLSearchParams(query);
    const names = ['filepath', 'filename', 'offset', 'overwrite', 'volume'];
    const shown = names.flatMap((name) => (sent.has(name) ? [[name, sent.get(name)] as const] : []));
    return {
      method: 'rawUpload',
      params: showValue({ ...Object.fromEntries(shown), sizeBytes: body.length }),
    };
  }
  const { method, params } = decodeCall(body);
  // User and password of `login` have no names.
  const shown = method === 'login' ? params.map((param, at) => (at === 1 ? hidden : param)) : params;
  return { method, params: showValue(shown) };
}

function describeAnswer({ body }: HubAnswer): { answer: string } | { fault: string } {
  try {
    return { answer: showValue(decodeResponse(body)) };
  } catch (error) {
    return { fault: withoutLogins(describeError(error)) };
  }
}

function withoutSecrets(value: RpcValue): RpcValue {
  if (typeof value === 'string') return withoutLogins(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (!isStruct(value)) return value;
  const members = Object.entries(value).map(
    ([name, member]) => [name, secretMembers.has(name) ? hidden : withoutSecrets(member)] as const,
  );
  return Object.fromEntries(members);
}
