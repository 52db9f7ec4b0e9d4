/**
 * Where a worker with nothing to show turns to: a dispatcher on this machine by the secret in the data directory, which
 * may take a moment to be there while that one starts; else the one that is asked for an approval.
 *
 * Asked is one that listens at the address of this machine, or the only one that is found, if it has the key it announces.
 * Nobody is asked, until a person says whom, once several were seen, or when this device was a member of a cluster whose
 * dispatcher is not there: whoever is left when the right one goes is a stranger, and a dispatcher runs commands here.
 */

import { isLoopbackHost } from '../base/place.ts';
import { type FoundDispatcher, onlyOne, placeText } from '../discovery/service.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { storedSecret } from '../runtime/data-dir.ts';
import { acceptsConnections } from '../runtime/probe.ts';
import type { Address } from '../worker/redial.ts';
import type { Finder } from './finding.ts';
import { provenPlaces } from './proving.ts';

/** How others may take to be found before the only one that was is asked, ms. */
const onlyOneAfterMs = 1000;
/** How often a secret is looked for that a dispatcher beside the worker is about to make, ms. */
const secretLookMs = 100;
/** Least time from one look at whether the only one has the key it announces to the next, ms. */
const proveIntervalMs = 2000;
/** Most sentences on whom to ask: beyond it somebody plays with the network. */
const toldMax = 20;
/** Most dispatchers in one such sentence. */
const namedMax = 8;

const howToSay = 'with --dispatcher HOST[:PORT], or with --join and a token from "octaskly invite" there';

/** What is known before anybody is asked. */
export interface Newcomer {
  readonly dataDir: string;
  /** Where a dispatcher is looked for, at least one. */
  readonly places: readonly Address[];
  /** Fingerprint of the dispatcher this device belonged to; null = to none yet. */
  readonly formerly: string | null;
  /** Null = nobody looks for dispatchers. */
  readonly finder: Finder | null;
  readonly log: Log;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** By what to begin: a secret, or whom to ask; with neither the dispatcher that listens at the first place. */
export interface FirstContact {
  readonly secret: string | null;
  readonly chosen: FoundDispatcher | null;
}

/** Waits until there is somebody to turn to, or `signal` aborts. Errors: `io`, `forbidden`. */
export async function firstContact(newcomer: Newcomer): Promise<FirstContact> {
  const { dataDir, places, log, signal } = newcomer;
  const [address] = places;
  const local = places.every(({ host }) => isLoopbackHost(host));
  const choice = new Choice(newcomer);
  for (let looks = 0; ; looks++) {
    const secret = storedSecret(dataDir);
    if (secret !== null || !local || address === undefined || signal.aborted) return { secret, chosen: null };
    if (await acceptsConnections(address)) return { secret: storedSecret(dataDir), chosen: null };
    if (looks === 0) log.info('waiting for a dispatcher on this machine', { at: placeText(address), data: dataDir });
    const chosen = await choice.make();
    if (chosen !== null) return { secret: null, chosen };
    await new Promise<void>((resolve) => systemClock.after(secretLookMs, resolve));
  }
}

/** Whom to ask of those that are found, over and over. */
class Choice {
  readonly #newcomer: Newcomer;
  readonly #told = new Set<string>();
  #severalSeen = false;
  #provedAt = Number.NEGATIVE_INFINITY;

  constructor(newcomer: Newcomer) {
    this.#newcomer = newcomer;
  }

  /** Null = nobody yet. */
  async make(): Promise<FoundDispatcher | null> {
    const { finder, formerly } = this.#newcomer;
    if (finder === null || finder.elapsedMs < onlyOneAfterMs) return null;
    const all = finder.dispatchers;
    const claimants = formerly === null ? all : all.filter(({ fingerprint }) => fingerprint === formerly);
    const only = onlyOne(claimants);
    if (only === 'several') this.#severalSeen = true;
    if (only === null || this.#severalSeen) {
      this.#tellWhyNone(all);
      return null;
    }
    return only === 'several' ? null : this.#proven(claimants);
  }

  /** The first that has the key which all of them announce, with the addresses where it was shown. */
  async #proven(claimants: readonly FoundDispatcher[]): Promise<FoundDispatcher | null> {
    const now = systemClock.steady();
    if (now - this.#provedAt < proveIntervalMs) return null;
    this.#provedAt = now;
    for (const one of claimants) {
      const places = await provenPlaces(one);
      if (places.length > 0) return { ...one, places };
    }
    this.#tell(
      `none of the dispatchers found is asked, because none has shown the key it announces: ${list(claimants)}`,
    );
    return null;
  }

  #tellWhyNone(all: readonly FoundDispatcher[]): void {
    const { formerly } = this.#newcomer;
    if (all.length === 0) return;
    if (formerly !== null)
      this.#tell(
        `this device belongs to the dispatcher with the key ${formerly}, which is not found, and asks no other: ${list(all)}. Say if another one is meant, ${howToSay}.`,
      );
    else if (onlyOne(all) === 'several')
      this.#tell(`several dispatchers were found: ${list(all)}. Say which one ${howToSay}.`);
    else
      this.#tell(
        `one dispatcher is left of several that were found, and is not asked for that: ${list(all)}. Say if it is the right one, ${howToSay}.`,
      );
  }

  #tell(sentence: string): void {
    if (this.#told.has(sentence) || this.#told.size >= toldMax) return;
    this.#told.add(sentence);
    this.#newcomer.log.warn(sentence);
  }
}

function list(found: readonly FoundDispatcher[]): string {
  const named = found
    .slice(0, namedMax)
    .map(
      ({ name, places, fingerprint }) => `${name} at ${places.slice(0, 1).map(placeText).join('')} (${fingerprint})`,
    );
  return [...named, ...(found.length > namedMax ? [`and ${found.length - namedMax} more`] : [])].join('; ');
}
