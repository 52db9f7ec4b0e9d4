/**
 * The program of a worker that may be told to run another: makes the new file ready beside it, lets that join the
 * dispatcher once (the trial), and only then gives it the program's name and starts the worker anew.
 *
 *   prepare ──> (the worker ends) ──> trial joins, leaves ──> swap ──> restart with the new file
 *       └ fails: nothing has changed       └ fails ──────────────────> restart with the present file
 *
 * Whom it believes: the dispatcher, as far as that could do the same by a task. Where tasks run with this account's rights
 * (levels none and basic) an order of the dispatcher is enough; where they are kept apart, or `--allow-update signed` is
 * given, the program has to be of a release that the key in this file has signed, and no earlier one than this.
 * References: docs/UPDATE.md.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { WorkerValues } from '../cli/options.ts';
import type { ProgramPlaces } from '../core/program-steps.ts';
import { fileFor, readManifest } from '../core/release-manifest.ts';
import { targetNamed } from '../core/targets.ts';
import type { DeclaredProgram, UpdateOrder, UpdateReport } from '../core/update.ts';
import type { ReadBlob, WorkerProgram } from '../ports/program.ts';
import type { Log } from '../ports/time.ts';
import { writeDescriptor } from '../runtime/file-bytes.ts';
import {
  dropDraft,
  finishDraft,
  mendProgram,
  ownProgram,
  placesOf,
  requireReplaceable,
  requireRoom,
  swapProgram,
  tryProgram,
  writeRefusal,
} from '../runtime/program-file.ts';
import { isSignedBy, releaseKey } from '../runtime/release-key.ts';
import { restartAs, tryAs } from '../runtime/restart.ts';
import { build, version } from '../version.ts';

/** Carry over a restart: that it is a trial, and what is to be told of an update. */
const trialVariable = 'OCTASKLY_UPDATE_TRIAL';
const reportVariable = 'OCTASKLY_UPDATE_REPORT';
/** Longest the new program may take to join, ms; the trial gives up by itself before. */
const trialMs = 75_000;
export const trialJoinMs = 60_000;
const pieceBytes = 1024 * 1024;

type Wishes = Pick<WorkerValues, 'allowUpdate' | 'sandboxLevel' | 'secretFile'>;

/** True when this process is only to show that it can join. */
export function isTrial(): boolean {
  return takeVariable(trialVariable) !== undefined;
}

/** What a worker declares of a program it does not replace. */
export function fixedProgram(why: string): DeclaredProgram {
  return { target: build.target, refusal: why, needsSignature: false };
}

export class OwnProgram implements WorkerProgram {
  readonly version = version;
  readonly declared: DeclaredProgram;
  readonly #log: Log;
  #report: UpdateReport | null;
  #ready: UpdateOrder | null = null;

  constructor(values: Wishes, log: Log) {
    this.#log = log;
    this.declared = { target: build.target, refusal: refusalOf(values), needsSignature: needsSignature(values) };
    this.#report = reportIn(takeVariable(reportVariable));
    if (build.target !== null) mendProgram(ownProgram());
  }

  takeReport(): UpdateReport | null {
    const report = this.#report;
    this.#report = null;
    return report;
  }

  async prepare(order: UpdateOrder, read: ReadBlob): Promise<void> {
    const isSigned = checkSignature(order);
    if (this.declared.needsSignature && !isSigned) {
      throw new OctasklyError('forbidden', unsigned);
    }
    const places = this.#places();
    mendProgram(places.program);
    await requireReplaceable(places.program);
    requireRoom(places.program, order.bytes);
    try {
      await writeDraft(places, order, read);
      finishDraft(places);
      await tryProgram(places.draft, order.version);
    } catch (error) {
      dropDraft(places);
      throw error;
    }
  }

  discard(): void {
    dropDraft(this.#places());
  }

  ready(order: UpdateOrder): void {
    this.#ready = order;
  }

  /** The worker has ended to be replaced. */
  get isReady(): boolean {
    return this.#ready !== null;
  }

  /** Tries the new program, swaps, and starts the worker anew, by whichever file. Returns as `restartAs`. */
  async renew(): Promise<number> {
    const places = this.#places();
    const wanted = this.#ready?.version ?? version;
    const failure = await this.#swap(places);
    if (failure === null) this.#log.info('the program was replaced; starting it', { from: version, to: wanted });
    else this.#log.error(`the update to ${wanted} failed, ${version} goes on: ${failure}`);
    const report: UpdateReport = { version: wanted, step: failure === null ? 'done' : 'failed', detail: failure };
    return restartAs(places.program, { [reportVariable]: JSON.stringify(report) });
  }

  /** Why it could not be done, a sentence; null = it was. */
  async #swap(places: ProgramPlaces): Promise<string | null> {
    try {
      const { status, said } = await tryAs(places.draft, { [trialVariable]: 'true' }, trialMs);
      if (status !== 0) {
        const how =
          status === null ? `did not join within ${trialMs / 1000} s` : `ended with ${status} before it joined`;
        const last = said.trim().split('\n').slice(-3).join(' / ');
        throw new Error(`The new program ${how}${last === '' ? '.' : `: ${last}`}`);
      }
      // Workers of this machine that share the program come one after another: whoever is not first finds it replaced.
      await swapProgram(places, null);
      return null;
    } catch (error) {
      dropDraft(places);
      return reasonOf(error);
    }
  }

  #places(): ProgramPlaces {
    return placesOf(ownProgram());
  }
}

const unsigned =
  'It takes only what the key of its release has signed, and the dispatcher shows no such signature: start the dispatcher with --dist, the directory of the release.';

function needsSignature({ allowUpdate, sandboxLevel }: Wishes): boolean {
  const areTasksApart = sandboxLevel !== 'none' && sandboxLevel !== 'basic';
  return allowUpdate === 'signed' || (allowUpdate === 'auto' && areTasksApart);
}

function refusalOf(values: Wishes): string | null {
  if (build.target === null) return 'it runs from its sources';
  if (values.allowUpdate === 'false') return 'it was started with --allow-update false';
  if (needsSignature(values) && releaseKey === null) {
    return 'it takes signed programs alone, as its tasks are kept apart from it or --allow-update signed says so, and it was built without the key of a release';
  }
  if (values.secretFile?.startsWith('/dev/') || values.secretFile?.startsWith('/proc/')) {
    return 'it could not be started again, since its secret came by a descriptor';
  }
  return writeRefusal(ownProgram());
}

/** Whether the order's program is of a release that this file's key has signed. Error: `forbidden` where that is untrue. */
function checkSignature({ signed, version: wanted, target, blob }: UpdateOrder): boolean {
  if (signed === null || releaseKey === null) return false;
  if (!isSignedBy(releaseKey, new TextEncoder().encode(signed.manifest), signed.signature)) {
    throw new OctasklyError('forbidden', 'The release it is of is not signed by the key of this program.');
  }
  const reading = readManifest(signed.manifest);
  const found = targetNamed(target);
  const file = reading.ok && found !== undefined ? fileFor(reading.manifest, found, 'program') : undefined;
  if (reading.ok && reading.manifest.version === wanted && file !== undefined && blob === `sha256:${file.sha256}`) {
    return true;
  }
  throw new OctasklyError('forbidden', 'The program is not the one that the signed manifest names.');
}

async function writeDraft({ draft }: ProgramPlaces, { blob, bytes }: UpdateOrder, read: ReadBlob): Promise<void> {
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  const hash = createHash('sha256');
  try {
    for (let at = 0; at < bytes; ) {
      const piece = read(at, pieceBytes);
      if (piece.length === 0) throw new OctasklyError('io', `The program ends after ${at} of ${bytes} bytes.`);
      hash.update(piece);
      writeDescriptor(file, piece, at);
      at += piece.length;
      // The worker is to give signs of life meanwhile.
      await new Promise(setImmediate);
    }
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    throw new OctasklyError('io', `Cannot write "${draft}": ${reasonOf(cause)}.`, { cause });
  } finally {
    closeSync(file);
  }
  if (blob !== `sha256:${hash.digest('hex')}`) throw new OctasklyError('io', 'What came is not what was ordered.');
}

/** What a variable says, once: it is not for what is started from here. */
function takeVariable(name: string): string | undefined {
  const value = process.env[name];
  delete process.env[name];
  return value;
}

function reportIn(text: string | undefined): UpdateReport | null {
  try {
    const { version: of, step, detail } = JSON.parse(text ?? 'null') ?? {};
    const isKnown = typeof of === 'string' && (step === 'done' || step === 'failed');
    return isKnown ? { version: of, step, detail: typeof detail === 'string' ? detail : null } : null;
  } catch {
    return null;
  }
}
