import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import { HubFault } from '../hub/faults.ts';
import { encodeFault, encodeResponse, type RpcCall, type RpcValue } from '../hub/xmlrpc/codec.ts';
import { decodeCall } from '../hub/xmlrpc/decode.ts';
import { buildrootMethods } from './buildroots.ts';
import { buildMethods } from './builds.ts';
import { type Call, createCall, type MethodTable, method, variadicMethod } from './call.ts';
import { completionMethods } from './complete-build.ts';
import { externalRepoMethods } from './external-repos.ts';
import { BadRequest, generic, Refusal } from './faults.ts';
import { hostMethods } from './hosts.ts';
import type { Hub } from './hub.ts';
import { policyMethods } from './policy.ts';
import { queueMethods } from './queue.ts';
import { repoRequestMethods } from './repo-requests.ts';
import { reportMethods } from './reports.ts';
import { repoMethods } from './repos.ts';
import { authenticate, type Credentials, sessionMethods } from './sessions.ts';
import { subtaskMethods } from './subtasks.ts';
import { tagMethods } from './tags.ts';
import { taskMethods } from './task-methods.ts';
import { readUpload, type UploadRequest, uploadMethods } from './uploads.ts';

const methods: MethodTable = {
  ...sessionMethods,
  ...hostMethods,
  ...taskMethods,
  ...subtaskMethods,
  ...queueMethods,
  ...buildrootMethods,
  ...repoMethods,
  ...repoRequestMethods,
  ...tagMethods,
  ...externalRepoMethods,
  ...buildMethods,
  ...completionMethods,
  ...reportMethods,
  ...policyMethods,
  ...uploadMethods,
  echo: variadicMethod((_call, params) => [...params]),
  getKojiVersion: method({}, (call) => call.hub.settings.kojiVersion),
  getAPIVersion: method({}, () => 1),
};

/** Answers requests one after another, each its own transaction. */
export interface Dispatcher {
  /** Handles one XML-RPC document and gives the answer's document; rejects with BadRequest for what is none. */
  call(body: Uint8Array, credentials: Credentials | undefined): Promise<string>;
  /** Handles one raw upload and gives the answer's document. */
  upload(request: UploadRequest, credentials: Credentials | undefined): Promise<string>;
  /** Runs `work` between two requests, as a transaction. */
  exclusively<Result>(work: () => Result): Promise<Result>;
}

export function createDispatcher(hub: Hub): Dispatcher {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
  return {
    call: (body, credentials) =>
      inTurn(() => {
        const request = readRequest(body);
        return transact(hub, credentials, request.method, (call) => dispatch(call, request));
      }),
    upload: (request, credentials) =>
      inTurn(() => transact(hub, credentials, 'rawUpload', async (call) => readUpload(call, request))),
    exclusively: (work) =>
      inTurn(async () => {
        const result = work();
        hub.state.commit();
        return result;
      }),
  };
}

function readRequest(body: Uint8Array): RpcCall {
  try {
    return decodeCall(body);
  } catch (error) {
    throw new BadRequest(`Invalid request: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Runs one request; everything it wrote is kept together with its callnum, or, when it fails, none of it. */
async function transact(
  hub: Hub,
  credentials: Credentials | undefined,
  methodName: string,
  run: (call: Call) => Promise<RpcValue>,
): Promise<string> {
  try {
    if (methodName !== 'rawUpload') assertKnown(methodName);
    const authenticated = credentials && authenticate(hub, credentials, methodName);
    const value = await run(createCall(hub, authenticated?.session, authenticated?.isExclusive ?? false));
    // Encoded first: an answer that cannot be sent must not leave its changes behind.
    const answer = encodeResponse(value);
    // The callnum is kept only with changes: a call that wrote nothing may be sent again (kojihub/auth.py).
    // The savepoints of a multiCall count as changes.
    const remembered = hub.state.isDirty || methodName === 'multiCall';
    if (remembered && authenticated !== undefined && credentials?.callnum !== undefined)
      hub.state.tables.sessions.update(authenticated.session.id, { callnum: credentials.callnum });
    hub.state.commit();
    return answer;
  } catch (error) {
    hub.state.rollBack();
    const { code, message } = toFault(error);
    return encodeFault(code, message);
  }
}

function assertKnown(methodName: string): void {
  if (methodName !== 'multiCall' && methods[methodName] === undefined)
    throw generic(`Invalid method: ${methodName}`);
}

async function dispatch(call: Call, request: RpcCall): Promise<RpcValue> {
  if (request.method === 'multiCall') return multiCall(call, request.params);
  assertKnown(request.method);
  return (await methods[request.method]?.run(call, request.params)) ?? null;
}

const MultiCall = z.tuple([
  z.array(z.object({ methodName: z.string(), params: z.custom<readonly RpcValue[]>(Array.isArray) })),
]);

/** Several calls in one request and one transaction; a call that fails is undone alone. */
async function multiCall(call: Call, params: readonly RpcValue[]): Promise<RpcValue> {
  const parsed = MultiCall.safeParse(params);
  if (!parsed.success)
    throw new Refusal(faultCodes.unhandled, 'multiCall takes a list of methodName and params');
  const results: RpcValue[] = [];
  for (const { methodName, params } of parsed.data[0]) {
    const savepoint = call.hub.state.savepoint();
    // Later calls of the request must not share the event of earlier ones.
    const inner = createCall(call.hub, call.session, call.isExclusive);
    try {
      results.push([await dispatch(inner, { method: methodName, params })]);
    } catch (error) {
      call.hub.state.rollBack(savepoint);
      const { code, message } = toFault(error);
      results.push({ faultCode: code, faultString: message, traceback: [] });
    }
  }
  return results;
}

function toFault(error: unknown): { code: number; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  // A stored result that is a fault is passed on as it is.
  if (error instanceof HubFault) return { code: error.faultCode, message: error.faultString };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: faultCodes.unhandled, message: text };
}
