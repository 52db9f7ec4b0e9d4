/**
 * The time between the start of a dispatcher and its first turn: a long queue takes seconds to load. The API listens
 * already, and says so to whoever asks; the log says how far it is.
 */

import { problemResponse } from '../api/problem.ts';
import { OctasklyError } from '../base/errors.ts';
import type { Loaded } from '../ports/store.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { type HttpAddress, type HttpApplication, type HttpServer, serveHttp } from '../runtime/http.ts';
import type { SqliteStore } from '../store/store.ts';
import { version } from '../version.ts';

/** Loading that takes longer is put into the log, and again after as long, ms. */
const tellEveryMs = 1000;

/** The API of a dispatcher that starts. */
export interface Opening {
  readonly server: HttpServer;
  /** What is said to those who ask. */
  say(doing: string): void;
  /** From here on the application answers. */
  serve(application: HttpApplication): void;
}

/** Listens, and answers 503 with what is being done; `/health` is well. Errors: as `serveHttp`. */
export function openApi(address: HttpAddress): Opening {
  let doing = 'it reads its database';
  let application: HttpApplication = ({ url }) => {
    if (new URL(url).pathname === '/health') return Response.json({ status: 'ok', version });
    return problemResponse(new OctasklyError('not_ready', `The dispatcher is starting: ${doing}.`));
  };
  return {
    server: serveHttp((request, peer) => application(request, peer), address),
    say: (text) => {
      doing = text;
    },
    serve: (given) => {
      application = given;
    },
  };
}

/**
 * The store with all of it read in already, so that others got their turns meanwhile: its first `load` takes no time.
 * Errors: as `Store.load`.
 */
export async function loadStored(store: SqliteStore, opening: Pick<Opening, 'say'>, log: Log): Promise<SqliteStore> {
  let loaded: Loaded | null = await readAll(store, opening, log);
  const load = (): Loaded => {
    const first = loaded;
    // What is kept here would be kept for good.
    loaded = null;
    return first ?? store.load();
  };
  return Object.create(store, { load: { value: load } });
}

async function readAll(store: SqliteStore, opening: Pick<Opening, 'say'>, log: Log): Promise<Loaded> {
  const startedAt = systemClock.steady();
  let toldAt = startedAt;
  const steps = store.loading();
  for (let step = steps.next(); ; step = steps.next()) {
    const at = systemClock.steady();
    if (step.done) {
      const ms = Math.round(at - startedAt);
      if (toldAt > startedAt) log.info('tasks loaded', { tasks: step.value.tasks.length, ms });
      return step.value;
    }
    const { loaded, total } = step.value;
    opening.say(`${loaded} of ${total} tasks that wait or run are loaded`);
    if (at - toldAt >= tellEveryMs) {
      toldAt = at;
      log.info('loading tasks that wait or run', { loaded, total });
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
