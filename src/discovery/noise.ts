/**
 * What is said in the log of packets of Multicast DNS that came to nothing: a few are on every network, many are somebody's
 * fault or intent. Said at once, then at most once a minute while it goes on. And of a machine where none can be had at all,
 * because no socket can be opened: said once, until one is.
 *
 * Pure: counts and instants are handed in.
 */

/** Looks in a row at which sockets failed to open: an address that is still being checked is bound a moment later. */
const shutLooksMin = 3;
/** Least time from one line to the next, ms. */
const intervalMs = 60_000;

/** Counts since the node began to listen; a count that is missing is 0. */
export type PacketCounts = Readonly<Record<string, number>>;

/** Packets that came to nothing; those of `flooded` because there were too many. */
const ordinary = ['malformed', 'ignored', 'offLink'] as const;
const flooded = ['limited', 'dropped'] as const;

/** A line for the log. */
export interface NoiseLine {
  readonly level: 'debug' | 'warn';
  readonly message: string;
  /** The counts, as they are now. */
  readonly fields: Readonly<Record<string, number>>;
}

/** Decides when there is something to say. */
export class NoiseReport {
  readonly #listedMax: number;
  #before: PacketCounts = {};
  #saidAt = Number.NEGATIVE_INFINITY;
  #openFailed = 0;
  #shutLooks = 0;

  /** `listedMax`: dispatchers beyond it are left out. */
  constructor(listedMax: number) {
    this.#listedMax = listedMax;
  }

  /** What is to be said now; null = nothing. `announced`: dispatchers that are announced just now. */
  look(counts: PacketCounts, announced: number, at: number): NoiseLine | null {
    if (this.#shutsNow(counts)) {
      const message =
        'Multicast DNS has no socket on any interface: this node is not found, and finds nobody. Another program may hold UDP port 5353 for itself alone; "octaskly doctor net" says what is in the way';
      return { level: 'warn', message, fields: { openFailed: this.#openFailed } };
    }
    if (at - this.#saidAt < intervalMs) return null;
    const grew = (names: readonly string[]): boolean =>
      names.some((name) => (counts[name] ?? 0) > (this.#before[name] ?? 0));
    const isFull = announced > this.#listedMax;
    const isFlood = grew(flooded);
    if (!isFull && !isFlood && !grew(ordinary)) return null;
    this.#saidAt = at;
    this.#before = { ...counts };
    const fields = Object.fromEntries(['received', ...ordinary, ...flooded].map((name) => [name, counts[name] ?? 0]));
    if (isFull)
      return {
        level: 'warn',
        message: `more than ${this.#listedMax} dispatchers are announced on this network; the others are not listed, and somebody may be flooding it`,
        fields: { ...fields, announced },
      };
    return isFlood
      ? { level: 'warn', message: 'more packets of mDNS came than are read; the others were dropped', fields }
      : { level: 'debug', message: 'packets of mDNS that came to nothing', fields };
  }

  /** True once, when no interface has been in use for some looks and sockets went on failing. */
  #shutsNow({ interfaces = 1, openFailed = 0 }: PacketCounts): boolean {
    if (interfaces > 0) this.#shutLooks = 0;
    else if (openFailed > this.#openFailed) this.#shutLooks += 1;
    else return false;
    this.#openFailed = openFailed;
    return this.#shutLooks === shutLooksMin;
  }
}
