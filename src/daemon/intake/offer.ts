import type { HostApi } from '../../hub/api/host.ts';
import type { OpenTask, TaskInfo } from '../../hub/api/schema.ts';
import type { TaskAdapter } from '../../tasks/adapter.ts';
import { type DecodedParams, decodeRequest } from '../../tasks/params.ts';
import type { OfferedTask } from './legacy-scheduler.ts';

/** A task that this host may open. Its request is read and decoded once, whoever asks for it. */
export class Offer {
  readonly id: number;
  readonly method: string;
  /** Whether the hub has assigned it, or a task of this host has made it and it is still FREE. */
  readonly from: 'hub' | 'child';
  /** Null: this builder has no such method. */
  readonly adapter: TaskAdapter | null;
  readonly #host: Pick<HostApi, 'taskInfo'>;
  #info: { readonly value: TaskInfo | null } | null = null;
  #params: DecodedParams | null = null;

  constructor(
    { id, method }: OfferedTask,
    from: 'hub' | 'child',
    registry: ReadonlyMap<string, TaskAdapter>,
    host: Pick<HostApi, 'taskInfo'>,
  ) {
    this.id = id;
    this.method = method;
    this.from = from;
    this.adapter = registry.get(method) ?? null;
    this.#host = host;
  }

  /** The task as the hub has it, with its request; null when there is no such task. */
  async info(signal: AbortSignal): Promise<TaskInfo | null> {
    this.#info ??= { value: await this.#host.taskInfo(this.id, { request: true, signal }) };
    return this.#info.value;
  }

  /** Its parameters by the adapter's signature; null where the hub does not tell them, or without an adapter. */
  async params(signal: AbortSignal): Promise<DecodedParams | null> {
    const request = (await this.info(signal))?.request ?? null;
    return this.adapter === null || request === null ? null : this.paramsOf(this.adapter, request);
  }

  /** The parameters of the opened task, of which the request came along. */
  paramsOf(adapter: TaskAdapter, request: OpenTask['request']): DecodedParams {
    this.#params ??= decodeRequest(this.method, adapter.signature, request);
    return this.#params;
  }
}
