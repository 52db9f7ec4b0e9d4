/**
 * The REST API as a Hono application without a server: the table of routes behind one line of checks. In this order:
 * the host is ours, the page that calls may, the route exists, the method fits, the caller is known, its role suffices,
 * path, query and body fit. Each refusal is a problem document; nothing that is thrown reaches the caller otherwise.
 * Refusals for who calls, or from where, are put on record; so is each token that is used.
 */

import { type Context, Hono } from 'hono';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Actor } from '../core/trust.ts';
import { type Caller, hostAllowed, identify, mayCall, originAllowed, rolesFor, schemeOf } from './access.ts';
import type { Backend } from './backend.ts';
import { contentOf } from './body.ts';
import { corsOf } from './cors.ts';
import { openApiOf } from './openapi.ts';
import { nothingAnswer, pageAnswer } from './page-answer.ts';
import { problemResponse, RateLimitedError } from './problem.ts';
import { Rates } from './rates.ts';
import { type ApiOptions, callerOf, type Peer, patternOf, type Route, type RouteContext } from './route.ts';
import { routes } from './routes.ts';
import type { Trust } from './trust.ts';
import { validateQuery } from './validate.ts';

type Bindings = Partial<Peer>;
type ApiContext = Context<{ Bindings: Bindings }>;

/** On every answer. */
const commonHeaders = {
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** On every answer but a page, which says these itself. */
const dataHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

/** Characters of what a caller wrote that the record repeats. */
const recordedLengthMax = 200;

/** Throws `bad_request` without one host, `forbidden` for another host's name and for calls made by foreign pages. */
function checkProvenance(request: Request, options: ApiOptions): void {
  const { headers } = request;
  const host = headers.get('host');
  // Two of them arrive as one, with a comma between.
  if (host === null || host.includes(',')) {
    throw new OctasklyError('bad_request', 'The request should have one Host header: it has none, or several.');
  }
  if (!hostAllowed(host, options.hosts)) {
    // It does not say for which it does: whoever got here by another name need not learn this machine's.
    const shown = host.slice(0, recordedLengthMax);
    const advice = 'call it by its address, or start the dispatcher with --allow-host for that name';
    throw new OctasklyError('forbidden', `This API does not answer for the host "${shown}": ${advice}.`);
  }
  const from = {
    host,
    scheme: schemeOf(request),
    origin: headers.get('origin'),
    site: headers.get('sec-fetch-site'),
    mode: headers.get('sec-fetch-mode'),
    dest: headers.get('sec-fetch-dest'),
    method: request.method,
  };
  if (originAllowed(from, options.origins)) return;
  const page = from.origin?.slice(0, recordedLengthMax) ?? 'another site';
  throw new OctasklyError('forbidden', `Pages of ${page} may not call this API.`);
}

function addressOf(context: ApiContext): string | null {
  return context.env?.remote ?? null;
}

/** Puts on record that a call was refused. Its query is left out: people put secrets there. */
function recordRefusal(
  context: ApiContext,
  trust: Trust,
  refusal: { readonly eventType: 'login_failed' | 'call_refused'; readonly actor: string; readonly reason: string },
): void {
  const { method, path } = context.req;
  const { eventType, actor, reason } = refusal;
  const details = { method, path: path.slice(0, recordedLengthMax), reason };
  trust.noteRefusal({ eventType, actor, from: addressOf(context), details });
}

/** Where the token is that a caller shows, if it shows one. */
function shownBy({ authorization, cookie }: Caller): 'token' | 'cookie' | null {
  return authorization !== null ? 'token' : cookie !== null ? 'cookie' : null;
}

/** Who calls. Throws `unauthorized`, `forbidden`, or `rate_limited` where too many tokens did not hold. */
function actorOf(context: ApiContext, route: Route, { options, trust, rates }: RouteContext): Actor {
  const from = addressOf(context);
  if (route.access === 'public') return { name: 'anonymous', role: 'worker', from };
  const caller = callerOf(context.req.raw, from);
  const showsToken = shownBy(caller) !== null && options.requireAuth !== 'false';
  const identity = identify(options.requireAuth, caller, (token) => trust.verifyToken(token));
  if (!identity.ok) {
    if (showsToken) {
      recordRefusal(context, trust, { eventType: 'login_failed', actor: 'anonymous', reason: identity.reason });
      rates.loginFailed(from);
    }
    throw new OctasklyError('unauthorized', identity.reason);
  }
  const actor: Actor = { name: identity.name, role: identity.role, from };
  if (showsToken) trust.noteLogin(actor);
  if (mayCall(actor.role, route.access)) return actor;
  const reason = `The role "${actor.role}" may not do this: ${route.summary.toLowerCase()}. It takes the role ${rolesFor(route.access)}.`;
  recordRefusal(context, trust, { eventType: 'call_refused', actor: actor.name, reason });
  throw new OctasklyError('forbidden', reason);
}

async function bodyOf(request: Request, rule: Route['body']): Promise<unknown> {
  const contentType = request.headers.get('content-type');
  if (rule === null) {
    // What a page's form could send without asking is refused even where no body is looked at.
    if (contentType !== null || request.body !== null) contentOf(contentType, [{ mediaType: 'application/json' }]);
    return undefined;
  }
  const [first] = rule.contents;
  // An empty body of bytes needs no type, nor do bytes that are put somewhere: no page can do that without asking.
  const untyped = contentType === null && (request.body === null || request.method === 'PUT');
  const content = untyped && first?.schema === null ? first : contentOf(contentType, rule.contents);
  return content.take(request, rule.maxBytes);
}

function paramsOf(context: ApiContext, route: Route): Record<string, unknown> {
  const given = context.req.param();
  const checked = route.params.safeParse(given);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const value = given[String(issue?.path[0])] ?? '';
  throw new OctasklyError(
    'not_found',
    `There is no ${context.req.path}: "${value}" ${issue?.message ?? 'does not fit'}.`,
  );
}

/** Puts on record that somebody called more often than it may. */
async function heldUp<T>(context: ApiContext, actor: Actor, trust: Trust, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof RateLimitedError) {
      recordRefusal(context, trust, { eventType: 'call_refused', actor: actor.name, reason: 'too many requests' });
    }
    throw error;
  }
}

async function answer(context: ApiContext, route: Route, shared: RouteContext): Promise<Response> {
  const { raw } = context.req;
  const actor = actorOf(context, route, shared);
  const params = paramsOf(context, route);
  const query = validateQuery(route.query, context.req.queries());
  const body = await bodyOf(raw, route.body);
  const keepOpen = context.env?.keepOpen ?? (() => undefined);
  const { options, trust } = shared;
  const caller = callerOf(raw, actor.from);
  const holds = (): boolean => identify(options.requireAuth, caller, (token) => trust.verifyToken(token)).ok;
  const shown = shownBy(caller);
  const address = `${schemeOf(raw)}//${raw.headers.get('host') ?? ''}`;
  const call = {
    params,
    query,
    body,
    headers: raw.headers,
    actor,
    address,
    shown,
    holds,
    keepOpen,
    signal: raw.signal,
  };
  const response = await heldUp(context, actor, trust, () => route.handle(call, shared));
  // Hono answers HEAD by GET and forgets the body; a stream has to be told.
  if (raw.method === 'HEAD') await response.body?.cancel();
  return response;
}

/** Turns anything thrown into an answer; what was not foreseen is logged and tells the caller nothing. */
function refuse(error: unknown, context: ApiContext, options: ApiOptions): Response {
  if (error instanceof OctasklyError) return problemResponse(error);
  options.log.error('a request failed in a way that was not foreseen', {
    method: context.req.method,
    path: context.req.path,
    reason: reasonOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return problemResponse(
    new OctasklyError('internal', 'Something went wrong inside; the log of the dispatcher says what.'),
  );
}

function allowOf(path: string, routes: readonly Route[]): string {
  const methods = routes.filter((route) => route.path === path).map(({ method }) => method as string);
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].join(', ');
}

/** Throws what `checkProvenance` does, and puts a call from elsewhere on record. */
function admit(context: ApiContext, { options, trust }: RouteContext): void {
  try {
    checkProvenance(context.req.raw, options);
  } catch (error) {
    recordRefusal(context, trust, { eventType: 'call_refused', actor: 'anonymous', reason: reasonOf(error) });
    throw error;
  }
}

/**
 * The application. Its `fetch` takes what the server knows of the connection (`Peer`) as second argument; without it a
 * caller counts as foreign. `app.request` calls it without any server. `table`: what it answers, where not all of it.
 */
export function createApi(
  backend: Backend,
  trust: Trust,
  options: ApiOptions,
  table: readonly Route[] = routes,
): Hono<{ Bindings: Bindings }> {
  let document: object | null = null;
  const openApi = (): object => {
    document ??= openApiOf(table, options);
    return document;
  };
  const shared: RouteContext = { backend, trust, options, rates: new Rates(options), openApi };
  const cors = corsOf(options.origins, table);
  const app = new Hono<{ Bindings: Bindings }>();

  app.use(async (context, next) => {
    const { raw } = context.req;
    try {
      admit(context, shared);
      if (cors.isPreflight(raw)) context.res = new Response(null, { status: 204, headers: cors.preflight });
      else await next();
    } catch (error) {
      context.res = refuse(error, context, options);
    }
    const isPage = context.res.headers.has('content-security-policy');
    const headers = { ...commonHeaders, ...(isPage ? {} : dataHeaders), ...cors.headersOf(raw) };
    for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value);
  });
  for (const route of table) {
    app.on(route.method, patternOf(route.path), (context) => answer(context, route, shared));
  }
  for (const path of new Set(table.map((route) => route.path))) {
    app.all(patternOf(path), ({ req }) => {
      const allow = allowOf(path, table);
      const error = new OctasklyError('method_not_allowed', `${req.path} does not take ${req.method}, only ${allow}.`);
      return problemResponse(error, { allow });
    });
  }
  app.notFound(async ({ req }) => {
    const page = await options.page(req.path);
    return page === null ? nothingAnswer(req.path, req.raw) : pageAnswer(page, req.raw);
  });
  app.onError((error, context) => refuse(error, context, options));
  return app;
}
