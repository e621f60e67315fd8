import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import { RpcDouble, type RpcValue, splitKeywords } from '../hub/xmlrpc/codec.ts';
import { Refusal } from './faults.ts';
import { type Hub, newEvent, nowSeconds } from './hub.ts';
import type { SessionRow } from './rows.ts';

/** One call that is being handled: who makes it, and when. */
export interface Call {
  readonly hub: Hub;
  /** Undefined when the request carried no session. */
  readonly session: SessionRow | undefined;
  /** Whether the session, or its master, holds its user's lock. */
  readonly isExclusive: boolean;
  /** Seconds since the epoch, one time for the whole call. */
  readonly now: number;
  /** The event of this call's changes; made when it is first asked for. */
  event(): number;
}

export function createCall(hub: Hub, session: SessionRow | undefined, isExclusive: boolean): Call {
  let event: number | undefined;
  return {
    hub,
    session,
    isExclusive,
    now: nowSeconds(hub),
    event: () => {
      event ??= newEvent(hub);
      return event;
    },
  };
}

/** A method of the hub: reads its arguments, refuses what does not fit, and runs. */
export interface Method {
  run(call: Call, params: readonly RpcValue[]): RpcValue | Promise<RpcValue>;
}

export type MethodTable = Readonly<Record<string, Method>>;

/**
 * Defines a method by its named parameters, in their order. Callers may give them by position or by keyword, as
 * Python does; a parameter whose schema accepts undefined may be left out. What does not fit is fault 1019.
 */
export function method<Shape extends z.ZodRawShape>(
  shape: Shape,
  run: (call: Call, args: z.output<z.ZodObject<Shape>>) => RpcValue | Promise<RpcValue>,
): Method {
  const schema = z.object(shape);
  const names = Object.keys(shape);
  return {
    run(call, params) {
      const parsed = schema.safeParse(bindArguments(names, params));
      if (parsed.success) return run(call, parsed.data);
      const [issue] = parsed.error.issues;
      throw parameterError(`argument ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
    },
  };
}

/** Defines a method that takes any arguments and gets them as they came. */
export function variadicMethod(
  run: (
    call: Call,
    params: readonly RpcValue[],
    keywords: Readonly<Record<string, RpcValue>>,
  ) => RpcValue | Promise<RpcValue>,
): Method {
  return {
    run(call, params) {
      const { params: positional, keywords } = splitKeywords(params);
      return run(call, positional, keywords);
    },
  };
}

function bindArguments(names: readonly string[], all: readonly RpcValue[]): Record<string, unknown> {
  const { params, keywords } = splitKeywords(all);
  if (params.length > names.length)
    throw parameterError(`takes ${names.length} arguments but ${params.length} were given`);
  const bound: Record<string, unknown> = {};
  params.forEach((value, index) => {
    bound[names[index] ?? ''] = plain(value);
  });
  for (const [name, value] of Object.entries(keywords)) {
    if (!names.includes(name)) throw parameterError(`got an unexpected keyword argument '${name}'`);
    if (name in bound) throw parameterError(`got multiple values for argument '${name}'`);
    bound[name] = plain(value);
  }
  return bound;
}

/** Turns what the codec gives into plain objects, which is what schemas and JSON know. */
function plain(value: RpcValue): unknown {
  if (value instanceof RpcDouble) return value.value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

/** 1019: the arguments do not fit the method. */
export function parameterError(message: string): Refusal {
  return new Refusal(faultCodes.parameter, message);
}

/** A name or an id, or a struct that has one of them, as most methods accept it (`name_or_id_clause`). */
export const NameOrId = z.union([
  z.string(),
  z.int(),
  z.looseObject({ id: z.int() }).transform(({ id }) => id),
  z.looseObject({ name: z.string() }).transform(({ name }) => name),
]);

/** Any value XML-RPC can carry, handed on as it came. */
export const AnyRpcValue = z.custom<RpcValue>((value) => value !== undefined);

/** A time as the hub sends it: a string with microseconds and zone, beside a number of seconds. */
export function timeText(seconds: number | null): string | null {
  if (seconds === null) return null;
  const micros = Math.round(seconds * 1e6);
  const whole = new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19).replace('T', ' ');
  return `${whole}.${String(micros % 1_000_000).padStart(6, '0')}+00:00`;
}

/** A number that is a double on the wire even when it is whole. */
export function double(value: number | null): RpcValue {
  return value === null ? null : new RpcDouble(value);
}
