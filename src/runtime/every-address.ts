/**
 * Listening at each address of this machine by a socket of its own, following addresses as they come and go. For
 * transports over UDP whose one socket for all addresses would answer from whichever the system prefers, which the other
 * side takes for a stranger's. Knows no protocol: it is told how to open one place.
 *
 * Deliberately not listened at: link-local IPv6 addresses, which the runtime's QUIC cannot name (they need a zone); more
 * than `placesMax` addresses. Where the system keeps the list of addresses to itself (`interfaces.ts`), one socket for all
 * has to do.
 *
 * Invariants: all places have one port. An address that went is listened at for `goneMs` longer, because a Wi-Fi that
 * comes back brings the same one, with connections that lived through it; one that cannot be had yet (IPv6 probes a new
 * address first, RFC 4862, 5.4) is tried again.
 */

import { OctasklyError } from '../base/errors.ts';
import { isLinkLocal6 } from '../discovery/mdns/networks.ts';
import type { TransportListener } from '../ports/transport.ts';
import type { Endpoint } from './endpoints.ts';
import { surveyInterfaces, unnamedInterface } from './interfaces.ts';

/** How often the addresses are read again, ms: a worker hears of a new one within a second, and comes at once. */
const scanIntervalMs = 250;
/** How long an address may be gone before its place is closed, ms. */
const goneMs = 10_000;
/** Wait before an address that could not be had is tried again, ms. */
const retryMs = 2000;
/** Most places: each costs a megabyte. */
const placesMax = 32;
/** With any port wanted: how many are tried until one is free at every address. */
const portsTriedMax = 8;

/** Opens one place. Errors: `in_use`, `io`. */
type Open = (address: Endpoint) => Promise<TransportListener>;

/** Addresses of this machine to be listened at; null = they cannot be told. Never rejects. */
export async function ownAddresses(): Promise<readonly string[] | null> {
  const interfaces = await surveyInterfaces([]);
  if (interfaces.some(({ name }) => name === unnamedInterface)) return null;
  const all = interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address));
  return [...new Set(all)].filter((address) => !isLinkLocal6(address));
}

interface EveryAddress {
  /** 0 = any that is free. */
  readonly port: number;
  readonly open: Open;
  /** Asked again and again; usually `ownAddresses`. */
  readonly addresses: () => Promise<readonly string[] | null>;
}

/**
 * Listens at every address of this machine until it is stopped. Null when the addresses cannot be told. Error: `in_use`
 * when the port is taken at one of them, `io` when it can be had at none.
 */
export async function listenAtEveryAddress(wanted: EveryAddress): Promise<TransportListener | null> {
  const first = await wanted.addresses();
  if (first === null) return null;
  for (let tried = 1; ; tried += 1) {
    const places = new Places(wanted);
    try {
      await places.begin(first);
      return places;
    } catch (error) {
      places.stop();
      if (wanted.port !== 0 || !isInUse(error) || tried >= portsTriedMax) throw error;
    }
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof OctasklyError && error.code === 'in_use';
}

interface PlaceAt {
  /** Null = it cannot be had yet. */
  readonly listener: TransportListener | null;
  /** Steady ms: when its address was there last, or when it was tried last. */
  readonly at: number;
}

class Places implements TransportListener {
  readonly #open: Open;
  readonly #addresses: EveryAddress['addresses'];
  readonly #places = new Map<string, PlaceAt>();
  #port: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stopped = false;

  constructor({ port, open, addresses }: EveryAddress) {
    this.#port = port;
    this.#open = open;
    this.#addresses = addresses;
  }

  get port(): number {
    return this.#port;
  }

  /** Once. Errors: as `listenAtEveryAddress`. */
  async begin(addresses: readonly string[]): Promise<void> {
    let trouble: unknown = null;
    for (const address of addresses.slice(0, placesMax)) {
      const error = await this.#add(address);
      // Somebody else's port is no address that is just coming up.
      if (isInUse(error)) throw error;
      trouble ??= error;
    }
    if (trouble !== null && [...this.#places.values()].every(({ listener }) => listener === null)) throw trouble;
    this.#scanLater();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { listener } of this.#places.values()) listener?.stop();
    this.#places.clear();
  }

  /** Null when it is listened there, else why not. */
  async #add(host: string): Promise<unknown> {
    try {
      const listener = await this.#open({ host, port: this.#port });
      if (this.#stopped) {
        listener.stop();
        return null;
      }
      this.#port = listener.port;
      this.#places.set(host, { listener, at: performance.now() });
      return null;
    } catch (error) {
      this.#places.set(host, { listener: null, at: performance.now() });
      return error;
    }
  }

  #scanLater(): void {
    this.#timer = setTimeout(() => void this.#scan(), scanIntervalMs);
  }

  async #scan(): Promise<void> {
    const addresses = (await this.#addresses()) ?? [];
    for (const address of addresses) {
      if (this.#stopped) return;
      await this.#look(address);
    }
    this.#dropGone(new Set(addresses));
    if (!this.#stopped) this.#scanLater();
  }

  async #look(address: string): Promise<void> {
    const place = this.#places.get(address);
    const now = performance.now();
    if (place !== undefined && place.listener !== null) this.#places.set(address, { ...place, at: now });
    else if (place === undefined ? this.#places.size < placesMax : now - place.at >= retryMs) await this.#add(address);
  }

  #dropGone(present: ReadonlySet<string>): void {
    const now = performance.now();
    for (const [address, { listener, at }] of this.#places) {
      if (present.has(address) || now - at < goneMs) continue;
      listener?.stop();
      this.#places.delete(address);
    }
  }
}
