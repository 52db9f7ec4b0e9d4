/**
 * Updates that the dispatcher orders: the new program is fetched from it while tasks run on, checked, tried, and when
 * nothing runs any more the worker ends, for whoever started it to put the new program in its place.
 *
 * The dispatcher has the worker drain meanwhile; here nothing is drained. An order lives as long as the link it came by:
 * without that link nobody waits for it. What comes of it after the worker's end is told by the next process.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { orderRefusal, type UpdateOrder, type UpdateReport } from '../core/update.ts';
import type { BlobCache } from '../ports/files.ts';
import type { WorkerLink } from '../ports/links.ts';
import type { WorkerProgram } from '../ports/program.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { clauseOf } from '../transfer/fetching.ts';
import type { Fetch } from '../transfer/waits.ts';

interface Parts {
  readonly clock: Clock;
  readonly blobs: BlobCache;
  /** Null: the worker's program is not its own to replace. */
  readonly program: WorkerProgram | null;
  fetch(blob: string, bytes: number): Fetch;
  /** Nothing runs, waits, or is to be reported. */
  isIdle(): boolean;
  onStatus(sentence: string): void;
  /** Ends the worker, which is idle. */
  leave(): void;
}

interface Underway {
  readonly order: UpdateOrder;
  readonly fetch: Fetch;
  /** The program lies ready. */
  isReady: boolean;
  patience: Timer | null;
}

export class Renewal {
  readonly #parts: Parts;
  #link: WorkerLink | null = null;
  #underway: Underway | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The dispatcher has welcomed the worker: tells what came of an update that was tried before. */
  attach(link: WorkerLink): void {
    this.#link = link;
    const report = this.#parts.program?.takeReport() ?? null;
    if (report !== null) this.#tell(report);
  }

  /** The link is gone, and with it the order. */
  detach(): void {
    this.#link = null;
    this.#end();
  }

  obey(order: UpdateOrder): void {
    const { program, fetch, blobs, onStatus } = this.#parts;
    const { version } = order;
    if (program === null) {
      this.#tell({ version, step: 'failed', detail: 'It has no program of its own to replace.' });
      return;
    }
    const refusal = orderRefusal(order, { version: program.version, ...program.declared });
    if (refusal !== null || version === program.version) {
      this.#tell({ version, step: refusal === null ? 'done' : 'failed', detail: refusal });
      return;
    }
    this.#end();
    onStatus(`The dispatcher wants this worker to run ${version}; fetching it.`);
    blobs.hold(order.blob);
    this.#underway = { order, fetch: fetch(order.blob, order.bytes), isReady: false, patience: null };
    this.#tell({ version, step: 'fetching', detail: null });
    void this.#prepare(this.#underway, program);
  }

  /** Something ended: goes if the new program is ready and nothing else is to be done. */
  look(): void {
    const underway = this.#underway;
    if (underway === null || !underway.isReady || !this.#parts.isIdle()) return;
    const { program, onStatus, leave } = this.#parts;
    program?.ready(underway.order);
    this.#underway = null;
    underway.patience?.cancel();
    onStatus(`Restarting as ${underway.order.version}.`);
    leave();
  }

  async #prepare(underway: Underway, program: WorkerProgram): Promise<void> {
    const { order, fetch } = underway;
    const { blobs, clock } = this.#parts;
    try {
      await fetch.done.catch((error: unknown) => {
        throw new OctasklyError('io', `Cannot fetch the program: ${clauseOf(error)}.`);
      });
      if (this.#underway !== underway) return;
      await program.prepare(order, (from, max) => blobs.read(order.blob, from, max));
      if (this.#underway === null) program.discard();
      if (this.#underway !== underway) return;
    } catch (error) {
      if (this.#underway === underway) this.#fail(order, reasonOf(error));
      return;
    } finally {
      blobs.release(order.blob);
      // It is beside the program by now, and of no use to tasks.
      blobs.delete(order.blob);
    }
    underway.isReady = true;
    this.#tell({ version: order.version, step: 'draining', detail: null });
    underway.patience = clock.after(order.waitMs, () => {
      this.#fail(order, `Tasks still run there after ${order.waitMs / 1000} s.`);
    });
    this.look();
  }

  #fail({ version }: UpdateOrder, detail: string): void {
    this.#end();
    this.#parts.onStatus(`The update to ${version} failed: ${detail}`);
    this.#tell({ version, step: 'failed', detail });
  }

  #end(): void {
    const underway = this.#underway;
    this.#underway = null;
    if (underway?.isReady) this.#parts.program?.discard();
    underway?.fetch.cancel();
    underway?.patience?.cancel();
  }

  #tell(report: UpdateReport): void {
    this.#link?.send({ kind: 'updating', ...report });
  }
}
