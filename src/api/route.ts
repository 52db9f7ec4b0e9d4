/**
 * What a route is, as data: from one table of these both the running routes and the OpenAPI document are made, so the two
 * cannot differ. A handler gets parameters, query and body that already fit their schemas; it answers or throws an
 * `OctasklyError`. It sees neither Hono nor the server.
 */

import { z } from 'zod';
import type { ErrorCode } from '../base/errors.ts';
import type { Roll } from '../core/fleet.ts';
import type { Actor } from '../core/trust.ts';
import type { Clock, Log } from '../ports/time.ts';
import type { Access, Caller, RequireAuth } from './access.ts';
import type { Backend } from './backend.ts';
import type { BodyRule } from './body.ts';
import type { Installs } from './installs.ts';
import type { PageFile } from './pages.ts';
import type { PruneAnswer, PruneRequest } from './prune-schemas.ts';
import type { Rates } from './rates.ts';
import { sessionToken } from './session.ts';
import type { Trust } from './trust.ts';

export interface ApiOptions {
  /** Version of the program, for `/health`, `/openapi.json`. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** SHA-256 of bytes or of a text's UTF-8 bytes, lower-case hex. */
  readonly sha256Hex: (data: string | Uint8Array) => string;
  /** Time limit of tasks that name none. */
  readonly defaultTimeoutMs: number;
  /** Names besides `localhost` the API answers for, lower case: the bind address, the host's name, configured ones. */
  readonly hosts: readonly string[];
  /** Origins (`https://host:port`, lower case) of foreign pages that may call. */
  readonly origins: readonly string[];
  readonly requireAuth: RequireAuth;
  /** Requests of submission a second for each subject of a token; the cluster's owner has no limit. 0 = nobody has one. */
  readonly submitRate: number;
  /** The file a browser is shown at this path; null = there is none. */
  readonly page: (path: string) => Promise<PageFile | null>;
  /** What new devices are given; absent = nothing. */
  readonly installs?: Installs;
  /** Deletes what is old. Errors: `in_use`, `shutting_down`, `storage_unavailable`. Absent where that cannot be done. */
  readonly prune?: (request: PruneRequest, actor: Actor) => Promise<PruneAnswer>;
  /** Brings workers to this version; absent where that cannot be done. */
  readonly updates?: Updates;
  /** Which rule of the deny list a command hits, in words; null = none. */
  readonly denied: (command: DeniedQuestion) => string | null;
}

/** Which workers are meant (null = all), how long their tasks may go on, ms, and whether a later version is replaced too. */
export interface UpdateWish {
  readonly only: ReadonlySet<string> | null;
  readonly waitMs: number;
  readonly allowDowngrade: boolean;
}

/** Updates of workers: `dispatcher/fleet.ts` has them. */
export interface Updates {
  /** Errors: `conflict` naming each worker that cannot be updated, `not_found`, `io`, `unreachable`. */
  plan(wish: UpdateWish): Promise<Roll>;
  /** As `plan`, and `in_use`, `shutting_down`, `storage_unavailable`. It goes on when this resolves. */
  start(wish: UpdateWish, actor: Actor): Promise<Roll>;
  rolls(): readonly Roll[];
  roll(id: string): Roll | null;
  stop(id: string): Roll | null;
}

/** A command as a task names it: for the shell, or as program and arguments. */
export interface DeniedQuestion {
  readonly command: string | null;
  readonly argv: readonly string[] | null;
  /** Where it starts; null = in the task's own directory. */
  readonly workdir: string | null;
}

/** What a server says of a connection; passed as Hono's bindings. */
export interface Peer {
  /** Address of the other side; null = not known. */
  readonly remote: string | null;
  /** Lets the answer of this request be silent for up to `idleSeconds`; 0 = without end. */
  readonly keepOpen: (idleSeconds: number) => void;
}

/** What every handler may use. */
export interface RouteContext {
  readonly backend: Backend;
  readonly trust: Trust;
  readonly options: ApiOptions;
  readonly rates: Rates;
  /** The OpenAPI document. */
  readonly openApi: () => object;
}

/** One request, checked. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Headers;
  readonly actor: Actor;
  /** Scheme and host it was asked at, `http://192.168.1.20:3000`; the host was checked. */
  readonly address: string;
  /** What shows who it is: a token in the header, one in the cookie of a page, or nothing. */
  readonly shown: 'token' | 'cookie' | null;
  /** For answers that last: false once the caller would not be let in any more, as its token was revoked or has expired. */
  readonly holds: () => boolean;
  readonly keepOpen: Peer['keepOpen'];
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** One answer a route may give, for the document. `schema` null: no body, unless `mediaType` says bytes or events. */
export interface AnswerRule {
  readonly description: string;
  readonly schema: z.ZodType | null;
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RouteRule<Params extends z.ZodType, Query extends z.ZodType, Body> {
  /** `operationId` of the document, unique. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters in braces: `/api/v1/tasks/{id}`; one that may hold slashes is last: `{+path}` (RFC 6570, 3.2.3). */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly description?: string;
  /** Parameters of the path; one that does not fit means that there is no such thing (404). */
  readonly params: Params;
  readonly query: Query;
  /** Optional request headers the handler looks at, with their meaning. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly body: BodyRule<Body> | null;
  readonly answers: Readonly<Record<number, AnswerRule>>;
  /** Errors beyond those every route may answer. */
  readonly problems: readonly ErrorCode[];
  /** Declared as a method: handlers of all parameter types fit into one table. */
  handle(call: Call<z.output<Params>, z.output<Query>, Body>, context: RouteContext): Response | Promise<Response>;
}

export type Route = RouteRule<z.ZodObject, z.ZodObject, unknown>;

export const noParams = z.strictObject({});
export const noQuery = z.strictObject({});

/** Checks a route's types against each other and forgets them, for the table. */
export function route<Params extends z.ZodObject, Query extends z.ZodObject, Body = undefined>(
  rule: RouteRule<Params, Query, Body>,
): Route {
  return rule;
}

/** A route's path in the notation of Hono. */
export function patternOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1').replace(/\{\+(\w+)\}$/, ':$1{[\\s\\S]+}');
}

/** A route's path in the notation of OpenAPI, which does not tell parameters with slashes apart. */
export function templateOf(path: string): string {
  return path.replace('{+', '{');
}

/** What `identify` asks of a request. */
export function callerOf(request: Pick<Request, 'headers' | 'method' | 'url'>, remote: string | null): Caller {
  const { headers } = request;
  return {
    remote,
    authorization: headers.get('authorization'),
    cookie: sessionToken(request),
    forwarded: ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => headers.has(name)),
  };
}

/** A JSON answer. */
export function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(body, { status, headers });
}
