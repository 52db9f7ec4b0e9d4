/**
 * How much room the notices that wait take, and who takes it, so that nobody can crowd out the others: not a host that does
 * not answer, and not a client's token whose tasks name such hosts. Pure; it keeps numbers, not notices.
 *
 * A notice is charged to whoever brought it about: the owner of the task or batch it tells of, or who asked for it. What
 * such an owner named, and what the dispatcher's own destinations are told because of it, are two shares: filling the one
 * does not silence the other. The cluster's owner, and what is nobody's doing (a worker is lost), have no share to fill,
 * and a part of the whole that shares cannot take.
 */

import type { DeliveryRecord } from '../../core/notification.ts';

/** Notices that wait at once, and of them for one origin. */
export const pendingMax = 10_000;
export const pendingPerOriginMax = pendingMax / 2;
/** Notices of one share that wait at once. */
export const pendingPerShareMax = 500;
/** The part of `pendingMax` and of `pendingPerOriginMax` that all shares together may take. */
const sharedPart = 0.8;

/** Where a notice goes, and whose share it is of. */
export interface Place {
  readonly origin: string;
  /** Null = of no share. */
  readonly share: string | null;
}

/** The share of a notice; `isOwn`: it goes to a destination of the dispatcher. */
export function shareOf({ notice: { task, batch, sender } }: DeliveryRecord, isOwn: boolean): string | null {
  const owner = task?.owner ?? batch?.owner ?? sender ?? null;
  return owner === null ? null : `${isOwn ? 'own' : 'named'} ${owner}`;
}

/** A number for each key, forgotten at 0. */
export class Counts {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, change: 1 | -1): void {
    const count = this.of(key) + change;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}

/** What a set of notices takes. */
export class Room {
  #total = 0;
  #shared = 0;
  readonly #origins = new Counts();
  readonly #sharedOrigins = new Counts();
  readonly #shares = new Counts();

  /** A notice came, or went. */
  note({ origin, share }: Place, change: 1 | -1): void {
    this.#total += change;
    this.#origins.add(origin, change);
    if (share === null) return;
    this.#shared += change;
    this.#sharedOrigins.add(origin, change);
    this.#shares.add(share, change);
  }

  /** Why a further notice finds no room beside these and those of `fresh`, as a sentence; null when it does. */
  refusal({ origin, share }: Place, fresh: Room): string | null {
    const sum = (read: (room: Room) => number): number => read(this) + read(fresh);
    if (sum((room) => room.#total) >= pendingMax) return 'Too many notifications wait to be delivered.';
    if (sum((room) => room.#origins.of(origin)) >= pendingPerOriginMax) return tooManyFor(origin);
    if (share === null) return null;
    if (sum((room) => room.#shares.of(share)) >= pendingPerShareMax)
      return `${pendingPerShareMax} notifications of one owner wait to be delivered.`;
    if (sum((room) => room.#shared) >= pendingMax * sharedPart) return 'Too many notifications wait to be delivered.';
    const sharedThere = sum((room) => room.#sharedOrigins.of(origin));
    return sharedThere >= pendingPerOriginMax * sharedPart ? tooManyFor(origin) : null;
  }
}

function tooManyFor(origin: string): string {
  return `Too many notifications wait to be delivered to ${origin}.`;
}
