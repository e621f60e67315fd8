import { z } from 'zod';
import { BuilderError } from '../core/errors.ts';
import { faultCodes } from '../core/koji-faults.ts';
import { type RpcValue, splitKeywords } from '../hub/xmlrpc/codec.ts';
import { TaskFault } from './errors.ts';

/**
 * The parameters of a task method: their names in Koji's order, which positional requests follow
 * (`koji/tasks.py LEGACY_SIGNATURES`), and a schema of the whole by name.
 */
export interface TaskSignature<P> {
  readonly names: readonly string[];
  /** Further parameters, of any number and name, are fine and not looked at. */
  readonly rest?: true;
  readonly schema: z.ZodType<P>;
}

/**
 * Reads a stored task request: positional parameters, keywords behind them, or one struct with
 * `__method__`. Throws a `TaskFault` 1019 that names method and parameter; the caller fails the task
 * with it, or it would wander from host to host.
 */
export function decodeParams<P>(
  method: string,
  signature: TaskSignature<P>,
  request: readonly RpcValue[],
): P {
  const named: Record<string, RpcValue> = {};
  const { params, keywords } = splitKeywords(request);
  const byName = params.length === 1 ? requestByName(params[0]) : null;
  const positional = byName === null ? params : [];
  if (positional.length > signature.names.length && !signature.rest) {
    throw badParameters(
      method,
      `takes at most ${signature.names.length} parameters, ${positional.length} were given`,
    );
  }
  for (const [index, name] of signature.names.slice(0, positional.length).entries()) {
    named[name] = positional[index] ?? null;
  }
  for (const [name, value] of Object.entries({ ...byName, ...keywords })) {
    if (name === '__method__') continue;
    if (!signature.names.includes(name)) {
      if (signature.rest) continue;
      throw badParameters(method, `has no parameter '${name}'`);
    }
    if (Object.hasOwn(named, name)) throw badParameters(method, `got parameter '${name}' twice`);
    named[name] = value;
  }
  const parsed = signature.schema.safeParse(named);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badParameters(
    method,
    `parameter ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`,
  );
}

/** The parameters of a request, or what is wrong with them. */
export type DecodedParams = { readonly value: unknown } | { readonly error: Error };

/** As `decodeParams`, for a task that is opened and failed with what is wrong. */
export function decodeRequest(
  method: string,
  signature: TaskSignature<unknown>,
  request: readonly RpcValue[],
): DecodedParams {
  try {
    return { value: decodeParams(method, signature, request) };
  } catch (error) {
    if (error instanceof BuilderError) return { error };
    throw error;
  }
}

/** A parameter that may be left out or nil. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? null);
}

/** A yes or no; Python's callers also write 1 and 0. */
export const flag = z.union([z.boolean(), z.int().transform((number) => number !== 0)]);

function requestByName(value: RpcValue | undefined): Readonly<Record<string, RpcValue>> | null {
  const parsed = z.looseObject({ __method__: z.string() }).safeParse(value);
  // The schema has just seen that it is a struct of RPC values with string keys.
  return parsed.success ? (parsed.data as Readonly<Record<string, RpcValue>>) : null;
}

function badParameters(method: string, what: string): TaskFault {
  return new TaskFault(faultCodes.parameter, 'request', `Invalid parameters for task ${method}: ${what}`);
}
