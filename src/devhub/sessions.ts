import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { faultCodes } from '../core/koji-faults.ts';
import type { RpcValue } from '../hub/xmlrpc/codec.ts';
import { type Call, double, type MethodTable, method, timeText } from './call.ts';
import { generic, notAllowed, Refusal } from './faults.ts';
import { findUser, type Hub, nowSeconds } from './hub.ts';
import type { HostRow, SessionRow, UserRow } from './rows.ts';

/** The session a request presents, as its headers or its query string say. */
export interface Credentials {
  readonly id: number;
  readonly key: string;
  readonly callnum: number | undefined;
}

/** What a request may do, once its session is known. */
export interface Authenticated {
  readonly session: SessionRow;
  readonly isExclusive: boolean;
}

/** Methods that may be sent again with the callnum of a call that was committed (`kojihub/auth.py`). */
const repeatable = new Set([
  'host.taskWait',
  'host.taskUnwait',
  'host.taskSetWait',
  'host.updateHost',
  'host.setBuildRootState',
]);
const allowedWhenExpired = new Set(['login']);
const allowedWhenLocked = new Set(['exclusiveSession', 'login', 'logout']);

const authError = (message: string) => new Refusal(faultCodes.auth, message);

/**
 * Finds a request's session and refuses it as the hub does: unknown or closed (1002), expired (1007), a callnum
 * that runs backwards (1008) or belongs to a call already committed (1009), a user locked by another session (1006).
 */
export function authenticate(hub: Hub, credentials: Credentials, methodName: string): Authenticated {
  const { sessions } = hub.state.tables;
  const known = sessions.get(credentials.id);
  if (known === undefined || known.key !== credentials.key || known.closed)
    throw authError('Invalid session or bad credentials');
  const session = expireWhenOld(hub, known);
  if (session.expired && !allowedWhenExpired.has(methodName))
    throw new Refusal(faultCodes.authExpired, `session "${session.id}" has expired`);
  checkCallnum(session, credentials.callnum, methodName);
  const isExclusive = holdsLock(hub, session);
  const isLocked = !isExclusive && exclusiveSessionOf(hub, session.user_id) !== undefined;
  if (isLocked && !session.expired && !allowedWhenLocked.has(methodName))
    throw new Refusal(faultCodes.authLock, 'User locked by another session');
  return { session, isExclusive };
}

/** Marks a session that was not renewed in time, and those below it. That stays, whatever becomes of the request. */
function expireWhenOld(hub: Hub, session: SessionRow): SessionRow {
  const since = session.renew_time ?? session.start_time;
  const isOld = nowSeconds(hub) > since + hub.settings.sessionRenewalMs / 1000;
  if (session.expired || !isOld) return session;
  const { sessions } = hub.state.tables;
  for (const row of sessions.filter((row) => row.id === session.id || row.master === session.id))
    sessions.update(row.id, { expired: true });
  hub.state.commit();
  return sessions.mustGet(session.id);
}

function checkCallnum(session: SessionRow, callnum: number | undefined, methodName: string): void {
  if (callnum === undefined || session.callnum === null) return;
  if (session.callnum > callnum)
    throw new Refusal(faultCodes.sequence, `${session.callnum} > ${callnum} (session ${session.id})`);
  if (session.callnum === callnum && !repeatable.has(methodName))
    throw new Refusal(
      faultCodes.retry,
      `unable to retry call ${callnum} (method ${methodName}) for session ${session.id}`,
    );
}

function exclusiveSessionOf(hub: Hub, userId: number): SessionRow | undefined {
  return hub.state.tables.sessions.find((row) => row.user_id === userId && row.exclusive && !row.closed);
}

function holdsLock(hub: Hub, session: SessionRow): boolean {
  const lock = exclusiveSessionOf(hub, session.user_id);
  return lock !== undefined && (lock.id === session.id || lock.id === session.master);
}

/** The session of a call that needs a login. */
export function assertLogin(call: Call): SessionRow {
  if (call.session === undefined) throw notAllowed('you must be logged in for this operation');
  return call.session;
}

export function hasPermission(call: Call, permission: string): boolean {
  const user = call.hub.state.tables.users.get(call.session?.user_id);
  return user !== undefined && (user.permissions.includes(permission) || user.permissions.includes('admin'));
}

export function assertPermission(call: Call, permission: string): void {
  if (hasPermission(call, permission)) return;
  const user = call.hub.state.tables.users.get(call.session?.user_id);
  const who = user === undefined ? 'user not logged in' : `logged in as ${user.name}`;
  throw notAllowed(`${permission} permission required (${who})`);
}

/** The caller's host. The session must be a host's and hold the lock, or the call is refused with 1002. */
export function assertHost(call: Call): HostRow {
  if (call.session === undefined) throw authError('Not logged-in');
  const host = hostOf(call);
  if (host === undefined) throw authError(`User ${call.session.user_id} is not a host`);
  if (!call.isExclusive) throw authError('This method requires an exclusive session');
  return host;
}

/** The host whose user makes the call, if it is a host at all. */
export function hostOf(call: Call): HostRow | undefined {
  const userId = call.session?.user_id;
  return call.hub.state.tables.hosts.find((host) => host.user_id === userId);
}

function createSession(call: Call, userId: number, master: number | null): RpcValue {
  const { id, key } = call.hub.state.tables.sessions.insert({
    user_id: userId,
    key: newKey(userId),
    master,
    exclusive: false,
    expired: false,
    closed: false,
    callnum: null,
    start_time: call.now,
    renew_time: null,
  });
  return { 'session-id': id, 'session-key': key, 'header-auth': true };
}

function newKey(userId: number): string {
  return `${userId}-${randomBytes(15).toString('base64url')}`;
}

/** Renewal keeps the id and the callnum and gives a new key; null when the master session is gone. */
function renewSession(call: Call, session: SessionRow): RpcValue {
  const { sessions } = call.hub.state.tables;
  if (session.master !== null && sessions.get(session.master)?.closed !== false) return null;
  const key = newKey(session.user_id);
  sessions.update(session.id, { key, expired: false, renew_time: call.now });
  return { 'session-id': session.id, 'session-key': key, 'header-auth': true };
}

function makeExclusive(call: Call, session: SessionRow, force: boolean): void {
  if (session.master !== null) throw generic('subsessions cannot become exclusive');
  if (session.exclusive) throw generic('session is already exclusive');
  const holder = exclusiveSessionOf(call.hub, session.user_id);
  if (holder !== undefined) {
    if (!force) throw new Refusal(faultCodes.authLock, 'Cannot get exclusive session');
    closeSession(call, holder);
  }
  call.hub.state.tables.sessions.update(session.id, { exclusive: true });
}

function closeSession(call: Call, session: SessionRow): void {
  call.hub.state.tables.sessions.update(session.id, { expired: true, exclusive: false, closed: true });
}

function assertSession(call: Call): SessionRow {
  if (call.session === undefined) throw authError('Not logged in');
  return call.session;
}

function checkPassword(call: Call, name: string, password: string): UserRow {
  const user = findUser(call.hub, name);
  if (user === undefined || password === '' || user.password !== password)
    throw authError('invalid username or password');
  return user;
}

/** Logging in and out, subsessions and the lock of a user. */
export const sessionMethods: MethodTable = {
  login: method(
    {
      user: z.string(),
      password: z.string(),
      opts: z.record(z.string(), z.unknown()).nullish(),
      renew: z.boolean().default(false),
      exclusive: z.boolean().default(false),
    },
    (call, args) => {
      if (call.session !== undefined && !call.session.expired) throw authError('Already logged in');
      const user = checkPassword(call, args.user, args.password);
      const info =
        args.renew && call.session !== undefined
          ? renewSession(call, call.session)
          : createSession(call, user.id, null);
      const renewed = call.session;
      if (args.exclusive && info !== null && renewed !== undefined && !renewed.exclusive)
        makeExclusive(call, renewed, false);
      return info;
    },
  ),
  subsession: method({}, (call) => {
    const session = assertSession(call);
    return createSession(call, session.user_id, session.master ?? session.id);
  }),
  exclusiveSession: method({ force: z.boolean().default(false) }, (call, { force }) => {
    makeExclusive(call, assertSession(call), force);
    return null;
  }),
  logout: method({ session_id: z.int().nullish() }, (call, args) => {
    const session = assertSession(call);
    const { sessions } = call.hub.state.tables;
    const target = args.session_id ?? session.id;
    if (!hasPermission(call, 'admin') && sessions.get(target)?.user_id !== session.user_id)
      throw generic('query returned no rows');
    for (const row of sessions.filter((row) => row.id === target || row.master === target))
      closeSession(call, row);
    return null;
  }),
  logoutChild: method({ session_id: z.int() }, (call, args) => {
    const session = assertSession(call);
    const child = call.hub.state.tables.sessions.get(args.session_id);
    if (child !== undefined && child.master === session.id) closeSession(call, child);
    return null;
  }),
  getSessionInfo: method({ details: z.boolean().default(false) }, (call, { details }) => {
    const { session } = call;
    if (session === undefined) return null;
    return {
      user_id: session.user_id,
      expired: session.expired,
      master: session.master,
      authtype: 0,
      callnum: session.callnum,
      start_time: timeText(session.start_time),
      start_ts: double(session.start_time),
      update_time: timeText(call.now),
      update_ts: double(call.now),
      renew_time: timeText(session.renew_time),
      renew_ts: double(session.renew_time),
      exclusive: session.exclusive ? true : null,
      ...(details ? { id: session.id, hostip: '127.0.0.1' } : {}),
    };
  }),
  getLoggedInUser: method({}, (call) => {
    const user = call.hub.state.tables.users.get(call.session?.user_id);
    return user === undefined ? null : { id: user.id, name: user.name, status: 0, usertype: 0, authtype: 0 };
  }),
};
