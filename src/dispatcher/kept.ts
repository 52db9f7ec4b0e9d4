/**
 * Files that stay with the workers they were made by, as tasks may ask for (`outputs_at`): on record here with the worker
 * that keeps each, and brought when somebody wants them. What was brought once stays, and the worker is let go.
 *
 * When a worker drains or leaves, all it keeps is brought. Who keeps what is known from the store alone, so that a restart
 * changes nothing; a worker that joins says what it keeps, and is told what of that nobody wants.
 *
 * Deliberately not here: how bytes come over a link (`files.ts`), and peers, which fetch such files from each other.
 * Bounded: `movedAtOnce` blobs are on their way for a worker that leaves, and a fetch ends when nothing comes for a while.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { BlobStore } from '../ports/files.ts';
import type { KeptOutput, OrphanedOutputs, Store } from '../ports/store.ts';
import type { Log } from '../ports/time.ts';
import { clauseOf } from '../transfer/fetching.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import type { LinkFiles } from './files.ts';
import type { Turn } from './turn.ts';

/** Blobs that are brought together when a worker drains or leaves. */
const movedAtOnce = 256;

/** What is known of a worker that may keep files. */
export interface Keeper {
  readonly name: string;
  /** It may come back: nobody has shut it out. */
  readonly isMember: boolean;
}

interface Parts {
  readonly store: Pick<Store, 'kept'>;
  readonly blobs: BlobStore;
  readonly log: Log;
  /** The files of a worker's link; null = it is not connected. */
  files(workerId: string): LinkFiles | null;
  /** Null = nothing is known of it. */
  keeper(workerId: string): Keeper | null;
  send(workerId: string, message: DispatcherMessage): void;
  inTurn(action: (turn: Turn) => void): Promise<void>;
}

export class KeptFiles {
  readonly #parts: Parts;
  /** Workers that are being relieved of what they keep. */
  readonly #moving = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Name of the worker that a file of a task is to be had from; null when it is here. */
  placesOf(taskId: string): (file: { readonly path: string; readonly blob: string }) => string | null {
    const keepers = new Map(this.#parts.store.kept({ taskId }).map(({ path, workerId }) => [path, workerId]));
    return ({ path, blob }) => {
      const workerId = keepers.get(path);
      if (workerId === undefined || this.#parts.blobs.size(blob) !== null) return null;
      return this.#parts.keeper(workerId)?.name ?? workerId;
    };
  }

  /** Size of a blob that is not here and that workers who may come back keep; null when there is none. */
  sizeOf(blob: string): number | null {
    return this.#having(blob)[0]?.bytes ?? null;
  }

  /** Ids of workers that keep a blob which is not here. */
  keepersOf(blob: string): readonly string[] {
    return this.#parts.blobs.size(blob) === null ? this.#having(blob).map(({ workerId }) => workerId) : [];
  }

  #having(blob: string): KeptOutput[] {
    return this.#parts.store.kept({ blob }).filter(({ workerId }) => this.#parts.keeper(workerId)?.isMember === true);
  }

  // ------------------------------------------------------------------------------------------------ bringing

  /** As `Backend.bring`. */
  async bring(blob: string, signal: AbortSignal | null): Promise<number | null> {
    const { store, blobs } = this.#parts;
    const rows = store.kept({ blob });
    const [first] = rows;
    if (first === undefined) return blobs.size(blob);
    const row = rows.find(({ workerId }) => this.#reached(workerId) !== null) ?? first;
    await this.#fetch(row, signal);
    await this.#arrived([blob]);
    return blobs.size(blob);
  }

  /** The files of a worker's link, when it may be trusted with being asked. */
  #reached(workerId: string): LinkFiles | null {
    return this.#parts.keeper(workerId)?.isMember === true ? this.#parts.files(workerId) : null;
  }

  async #fetch({ workerId, blob, bytes }: KeptOutput, signal: AbortSignal | null): Promise<void> {
    const files = this.#reached(workerId);
    if (files === null) throw this.#away(workerId, blob);
    const fetch = files.fetch(blob, bytes);
    const onAbort = (): void => fetch.cancel();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal?.aborted === true) fetch.cancel();
      await fetch.done;
    } catch (error) {
      if (this.#reached(workerId) !== files) throw this.#away(workerId, blob);
      if (!(error instanceof OctasklyError) || error.code !== 'not_found') throw error;
      const name = this.#parts.keeper(workerId)?.name ?? workerId;
      throw new OctasklyError('gone', `Cannot bring ${blob} from worker ${name}: ${clauseOf(error)}.`);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #away(workerId: string, blob: string): OctasklyError {
    const keeper = this.#parts.keeper(workerId);
    const name = keeper?.name ?? workerId;
    const stayed = `${blob} stayed with worker ${name} when its task ended`;
    if (keeper?.isMember === true) {
      return new OctasklyError('worker_away', `${stayed}, which is not connected: try again when it is back.`);
    }
    const why = keeper === null ? 'is not known any more' : 'was shut out of the cluster';
    return new OctasklyError('gone', `${stayed}, which ${why}: it cannot be had any more.`);
  }

  /** These blobs are here: from now on for good, and nobody else needs to keep them. */
  async #arrived(blobs: readonly string[]): Promise<void> {
    const rows = blobs.flatMap((blob) => this.#parts.store.kept({ blob }));
    try {
      await this.#parts.blobs.sync();
      await this.#parts.inTurn((turn) => {
        for (const { workerId, blob } of rows) turn.change({ kind: 'outputHere', workerId, blob });
      });
    } catch (error) {
      // The bytes can be had all the same; the worker keeps them until this works.
      this.#parts.log.warn('cannot record that files of a worker are here', { reason: reasonOf(error) });
      return;
    }
    for (const [workerId, group] of Map.groupBy(rows, (row) => row.workerId)) {
      const attempts = new Map(group.map(({ taskId, attempt }) => [taskId, { taskId, attempt }]));
      this.settle(workerId, [...attempts.values()]);
    }
  }

  // ------------------------------------------------------------------------------------------------ letting go

  /** Has a worker let go of the files of those attempts that it does not have to keep, as the store says. */
  settle(workerId: string, attempts: readonly AttemptKey[]): void {
    const wanted = new Set(
      attempts.length === 1
        ? attempts
            .flatMap(({ taskId }) => this.#parts.store.kept({ taskId }).filter((row) => row.workerId === workerId))
            .map(({ taskId }) => taskId)
        : this.#parts.store.kept({ workerId }).map(({ taskId }) => taskId),
    );
    const unwanted = attempts.filter(({ taskId }) => !wanted.has(taskId));
    if (unwanted.length > 0) this.#parts.send(workerId, { kind: 'release', attempts: unwanted });
  }

  /** Tasks were forgotten. */
  forgotten(orphaned: readonly OrphanedOutputs[]): void {
    for (const [workerId, attempts] of Map.groupBy(orphaned, (each) => each.workerId)) {
      this.#parts.send(workerId, {
        kind: 'release',
        attempts: attempts.map(({ taskId, attempt }) => ({ taskId, attempt })),
      });
    }
  }

  /** Brings all that a worker keeps, for as long as it is connected; at once when it already does. */
  relieve(workerId: string): void {
    if (this.#moving.has(workerId)) return;
    this.#moving.add(workerId);
    this.#move(workerId)
      .catch((error) =>
        this.#parts.log.warn('cannot bring the files of a worker', { worker: workerId, reason: reasonOf(error) }),
      )
      .finally(() => this.#moving.delete(workerId));
  }

  async #move(workerId: string): Promise<void> {
    const lost = new Set<string>();
    for (;;) {
      const rows = this.#parts.store.kept({ workerId }).filter(({ blob }) => !lost.has(blob));
      const next = [...new Map(rows.map((row) => [row.blob, row])).values()].slice(0, movedAtOnce);
      if (next.length === 0 || this.#reached(workerId) === null) return;
      await Promise.all(
        next.map((row) =>
          this.#fetch(row, null).catch((error: unknown) => {
            lost.add(row.blob);
            this.#parts.log.warn('a file stays behind with its worker', { worker: workerId, reason: reasonOf(error) });
          }),
        ),
      );
      const here = next.map(({ blob }) => blob).filter((blob) => !lost.has(blob));
      if (here.length > 0) await this.#arrived(here);
      // What cannot be recorded now would be brought over and over.
      if (this.#parts.store.kept({ workerId }).some(({ blob }) => here.includes(blob))) return;
    }
  }
}
