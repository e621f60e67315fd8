import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { RepoInfo, RepoRequest, TagRepo } from '../../src/hub/api/repo-schema.ts';
import {
  AnyRpcValue,
  AssignedTask,
  BuildrootInfo,
  BuildTarget,
  ExternalRepo,
  HeldTask,
  HostInfo,
  HubEvent,
  InheritanceLink,
  OpenTask,
  PackageConfig,
  SessionRow,
  TagInfo,
  TaskInfo,
} from '../../src/hub/api/schema.ts';
import { HubFault, HubProtocolError } from '../../src/hub/faults.ts';
import { SessionInfo } from '../../src/hub/session/session-info.ts';
import { encodeCall, encodeFault, encodeResponse } from '../../src/hub/xmlrpc/codec.ts';
import { decodeCall, decodeResponse } from '../../src/hub/xmlrpc/decode.ts';

const Exchange = z.object({
  hub: z.string(),
  method: z.string(),
  status: z.int(),
  request: z.string().nullable(),
  response: z.string(),
  params: z.unknown(),
  result: AnyRpcValue.optional(),
  fault: z.object({ faultCode: z.int(), faultString: z.string() }).optional(),
});

const exchanges = readFileSync(new URL('../fixtures/hub/exchanges.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => Exchange.parse(JSON.parse(line)));
const answered = exchanges.filter(({ status, fault }) => status === 200 && fault === undefined);

const schemas: Readonly<Record<string, z.ZodType>> = {
  login: SessionInfo,
  subsession: SessionInfo,
  getSessionInfo: SessionRow,
  'host.getID': z.int(),
  'host.getHost': HostInfo,
  'host.getHostTasks': z.array(HeldTask),
  'host.getTasks': z.array(AssignedTask),
  'host.openTask': OpenTask.nullable(),
  'host.newBuildRoot': z.int(),
  'host.repoInit': z.tuple([z.int(), z.int()]),
  'host.subtask': z.int(),
  'host.taskWait': z.tuple([z.array(z.int()), z.array(z.int())]),
  'host.taskWaitResults': z.array(z.tuple([z.int(), AnyRpcValue])),
  getTaskInfo: z.union([TaskInfo, z.array(TaskInfo)]),
  getTag: TagInfo.nullable(),
  getBuildConfig: TagInfo,
  getBuildTarget: BuildTarget.nullable(),
  getPackageConfig: PackageConfig.nullable(),
  getExternalRepoList: z.array(ExternalRepo),
  getFullInheritance: z.array(InheritanceLink),
  getLastEvent: HubEvent,
  getAverageBuildDuration: z.number().nullable(),
  getRepo: TagRepo.nullable(),
  repoInfo: RepoInfo.nullable(),
  'repo.request': RepoRequest,
  'repo.checkRequest': RepoRequest,
  listBuildroots: z.array(BuildrootInfo),
  checkUpload: z.object({ size: z.int() }).nullable(),
};

describe('recorded hub traffic', () => {
  it('decodes to what koji decodes', () => {
    for (const { method, request, params, status, response, result, fault } of exchanges) {
      if (request !== null) expect(decodeCall(request), method).toEqual({ method, params });
      if (fault !== undefined)
        expect(() => decodeResponse(response), method).toThrow(
          new HubFault(fault.faultCode, fault.faultString),
        );
      else if (status === 200) expect(decodeResponse(response), method).toEqual(result);
      else expect(() => decodeResponse(response), method).toThrow(HubProtocolError);
    }
  });

  it('is written byte for byte as koji writes it, whole doubles aside', () => {
    let compared = 0;
    for (const { method, request, response, status, fault } of exchanges) {
      if (request !== null && !request.includes('<double>')) {
        expect(encodeCall(method, decodeCall(request).params)).toBe(request);
        compared += 1;
      }
      if (status !== 200 || response.includes('<double>')) continue;
      if (fault === undefined) expect(encodeResponse(decodeResponse(response))).toBe(response);
      else expect(encodeFault(fault.faultCode, fault.faultString)).toBe(response);
      compared += 1;
    }

    expect(compared).toBeGreaterThan(200);
  });

  it.each(Object.entries(schemas))('has answers to %s that its schema takes', (method, schema) => {
    const answers = answered.filter((exchange) => exchange.method === method);

    expect(answers.length).toBeGreaterThan(0);
    for (const { hub, response } of answers) {
      const parsed = schema.safeParse(decodeResponse(response));
      expect(parsed.error?.issues ?? [], `${method} of hub ${hub}`).toEqual([]);
    }
  });
});
