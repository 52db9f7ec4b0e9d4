/**
 * Which foreign pages may read answers (WHATWG Fetch, "CORS protocol"): those of the origins configured, each named back
 * alone. Nobody else gets a CORS header at all, so without configuration no foreign page reads anything. What a browser
 * would add by itself (cookies, certificates) is never allowed: a page shows a token.
 *
 * It only tells browsers what they may; refusing calls of other pages is the business of `access.ts`.
 */

import type { Route } from './route.ts';

/** Seconds for which a browser may keep the answer to a preflight. */
const preflightSeconds = 600;

type Fields = Readonly<Record<string, string>>;

export interface Cors {
  /** True for the question of a browser whether a page of a configured origin may make a call. */
  isPreflight(request: Request): boolean;
  /** The answer to that question, beside what `headersOf` says. */
  readonly preflight: Fields;
  /** What any answer to this request says about CORS. */
  headersOf(request: Request): Fields;
}

function namesOf(fields: readonly (Fields | undefined)[]): string[] {
  return fields.flatMap((each) => Object.keys(each ?? {})).map((name) => name.toLowerCase());
}

function listOf(names: readonly string[]): string {
  return [...new Set(names)].toSorted().join(', ');
}

/** For pages of `origins` (lower case), which may use every method and header that `routes` know. */
export function corsOf(origins: readonly string[], routes: readonly Route[]): Cors {
  const asked = namesOf(routes.map(({ requestHeaders }) => requestHeaders));
  const answered = namesOf(routes.flatMap(({ answers }) => Object.values(answers).map(({ headers }) => headers)));
  const exposed = listOf(['retry-after', ...answered]);
  const allowedOrigin = ({ headers }: Request): string | null => {
    const origin = headers.get('origin');
    return origin !== null && origins.includes(origin.toLowerCase()) ? origin : null;
  };
  return {
    isPreflight: (request) =>
      request.method === 'OPTIONS' &&
      request.headers.has('access-control-request-method') &&
      allowedOrigin(request) !== null,
    preflight: {
      'access-control-allow-methods': listOf(routes.map(({ method }) => method)),
      'access-control-allow-headers': listOf(['authorization', 'content-type', ...asked]),
      'access-control-max-age': String(preflightSeconds),
    },
    headersOf(request): Fields {
      if (origins.length === 0) return {};
      const origin = allowedOrigin(request);
      if (origin === null) return { vary: 'Origin' };
      return {
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-expose-headers': exposed,
      };
    },
  };
}
