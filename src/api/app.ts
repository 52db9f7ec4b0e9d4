/**
 * The REST API as a Hono application without a server: the table of routes behind one line of checks. In this order:
 * the host is ours, the page that calls may, the route exists, the method fits, the caller is known, its role suffices,
 * path, query and body fit. Each refusal is a problem document; nothing that is thrown reaches the caller otherwise.
 *
 * There is no CORS: no answer ever allows a foreign page to read it.
 */

import { type Context, Hono } from 'hono';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { hostAllowed, identify, mayCall, originAllowed } from './access.ts';
import type { Backend } from './backend.ts';
import { contentOf } from './body.ts';
import { openApiOf } from './openapi.ts';
import { problemResponse } from './problem.ts';
import { type ApiOptions, callerOf, type Peer, patternOf, type Route, type RouteContext } from './route.ts';
import { routes } from './routes.ts';
import { validateQuery } from './validate.ts';

type Bindings = Partial<Peer>;
type ApiContext = Context<{ Bindings: Bindings }>;

/** On every answer. */
const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** Throws `forbidden` for another host's name and for calls made by foreign pages. */
function checkProvenance(request: Request, options: ApiOptions): void {
  const { headers } = request;
  const host = headers.get('host') ?? new URL(request.url).host;
  if (!hostAllowed(host, options.hosts)) {
    const names = ['localhost', 'IP addresses', ...options.hosts].join(', ');
    throw new OctasklyError('forbidden', `This API does not answer for the host "${host}", only for: ${names}.`);
  }
  const from = {
    host,
    origin: headers.get('origin'),
    site: headers.get('sec-fetch-site'),
    mode: headers.get('sec-fetch-mode'),
    dest: headers.get('sec-fetch-dest'),
    method: request.method,
  };
  if (originAllowed(from, options.origins)) return;
  throw new OctasklyError('forbidden', `Pages of ${from.origin ?? 'another site'} may not call this API.`);
}

/** Who calls. Throws `unauthorized` or `forbidden`. */
function actorOf(context: ApiContext, route: Route, options: ApiOptions): string {
  if (route.access === 'public') return 'anonymous';
  const caller = callerOf(context.req.raw.headers, context.env?.remote ?? null);
  const identity = identify(options.requireAuth, caller, options.verifyToken);
  if (!identity.ok) throw new OctasklyError('unauthorized', identity.reason);
  if (mayCall(identity.role, route.access)) return identity.actor;
  throw new OctasklyError('forbidden', `The role "${identity.role}" may not do this: ${route.summary.toLowerCase()}.`);
}

async function bodyOf(request: Request, rule: Route['body']): Promise<unknown> {
  const contentType = request.headers.get('content-type');
  if (rule === null) {
    // What a page's form could send without asking is refused even where no body is looked at.
    if (contentType !== null) contentOf(contentType, [{ mediaType: 'application/json' }]);
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

async function answer(context: ApiContext, route: Route, shared: RouteContext): Promise<Response> {
  const { raw } = context.req;
  const actor = actorOf(context, route, shared.options);
  const params = paramsOf(context, route);
  const query = validateQuery(route.query, context.req.queries());
  const body = await bodyOf(raw, route.body);
  const keepOpen = context.env?.keepOpen ?? (() => undefined);
  const response = await route.handle({ params, query, body, headers: raw.headers, actor, keepOpen }, shared);
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
    error: reasonOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return problemResponse(
    new OctasklyError('internal', 'Something went wrong inside; the log of the dispatcher says what.'),
  );
}

function allowOf(path: string): string {
  const methods = routes.filter((route) => route.path === path).map(({ method }) => method as string);
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].join(', ');
}

/**
 * The application. Its `fetch` takes what the server knows of the connection (`Peer`) as second argument; without it a
 * caller counts as foreign. `app.request` calls it without any server.
 */
export function createApi(backend: Backend, options: ApiOptions): Hono<{ Bindings: Bindings }> {
  let document: object | null = null;
  const openApi = (): object => {
    document ??= openApiOf(routes, options);
    return document;
  };
  const shared: RouteContext = { backend, options, openApi };
  const app = new Hono<{ Bindings: Bindings }>();

  app.use(async (context, next) => {
    try {
      checkProvenance(context.req.raw, options);
      await next();
    } catch (error) {
      context.res = refuse(error, context, options);
    }
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value);
  });
  for (const route of routes) {
    app.on(route.method, patternOf(route.path), (context) => answer(context, route, shared));
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    app.all(patternOf(path), ({ req }) => {
      const allow = allowOf(path);
      const error = new OctasklyError('method_not_allowed', `${req.path} does not take ${req.method}, only ${allow}.`);
      return problemResponse(error, { allow });
    });
  }
  app.notFound(({ req }) => problemResponse(new OctasklyError('not_found', `There is no ${req.path} here.`)));
  app.onError((error, context) => refuse(error, context, options));
  return app;
}
