/**
 * Which bytes of one blob are asked of whom, as plain data: times and answers go in, orders come out. It knows no link,
 * no disk and no clock.
 *
 *   0 ───────────── written ───── pieces, in order ────────── askedTo ───────────── bytes
 *    given out to be   │ each is open (asked of nobody), asked of one source, or come and waiting for those before it
 *    written           └ at most `planWindowBytes` between written and askedTo: the memory a transfer may take
 *
 * Sources have a beginning of the blob, up to `have`: whoever is still getting it serves what it got. One of them is the
 * last resort (the dispatcher): it is asked only while no other is alive, nothing comes of the others for a while, or
 * they are too slow to wait for. So many who want the same blob at once cost the last resort about one transfer: each
 * waits for the one before it, and follows close behind.
 *
 * Of sources that are still getting it themselves only the first in rank is asked, unless it falls far behind another:
 * else everybody would take the newest bytes from the one who has them first. Those that have all of it share the work,
 * by how fast they have proved to be.
 */

/** Bytes asked for, or come and not yet in their turn. */
export const planWindowBytes = 8 * 1024 * 1024;
/** A source that owes bytes and sends none for so long is left alone for a while. */
export const sourceStallMs = 2000;
/** … how long, ms; longer each time. */
const sourceRestMs = 10_000;
/** Blobs below this come from one source at a time. */
const parallelBytesMin = 8 * 1024 * 1024;
const pieceBytesMax = 1024 * 1024;
/** Less is not asked of a source that will soon have more. */
const pieceBytesMin = 64 * 1024;
/** What is asked of one source at a time: what it sends in `inFlightMs`, within these bounds. */
const inFlightMs = 500;
const inFlightBytesMin = 1024 * 1024;
const inFlightBytesMax = 4 * 1024 * 1024;
/** Nothing has come, from nobody: so long it is waited for those who have none of it yet, or are being dialled. */
const firstSignMs = 1000;
/** … and so much longer for each further source, so that not all who wait lose patience at once. */
const patienceStepMs = 250;
/** A source that is still getting it is passed over when another is so far ahead of what is here. */
const leadBytesMax = 16 * 1024 * 1024;
/** Slower than this (512 KiB/s), the last resort helps. */
const slowBytesPerMs = 524;
/** How fast a source is taken to be before it has shown it, bytes/ms: near ones first. */
const nearBytesPerMs = 50_000;
const farBytesPerMs = 10_000;
/** A rate is taken over so long. */
const rateMs = 100;

/** What is known of a source beforehand. */
export interface SourceTraits {
  /** Smaller is asked first. */
  readonly rank: number;
  /** On the same subnet. */
  readonly isNear: boolean;
  /** The last resort, which has all of it. */
  readonly isLast: boolean;
}

/** To be asked of a source. */
export interface Order {
  readonly source: string;
  readonly offset: number;
  readonly length: number;
}

interface Source extends SourceTraits {
  /** Null = it has not said; then, or with 0, it may still get it. */
  have: number;
  /** Asked for and not come. */
  owedBytes: number;
  heardAt: number;
  restsUntil: number;
  strikes: number;
  bytesPerMs: number;
  /** It has shown how fast it is. */
  isMeasured: boolean;
  sampleBytes: number;
  sampleFrom: number;
}

interface Piece {
  offset: number;
  end: number;
  /** Bytes before this have come. */
  at: number;
  /** Null = asked of nobody. */
  source: string | null;
  data: Uint8Array[];
}

export class Plan {
  /** Parts that nobody owed. */
  strayParts = 0;
  /** Sources that were given up for a while because they sent nothing; whoever reads it empties it. */
  readonly stalled: string[] = [];
  readonly bytes: number;
  /** Who gave bytes since the last `pause`. */
  readonly #givers = new Set<string>();
  readonly #sources = new Map<string, Source>();
  #pieces: Piece[] = [];
  #written = 0;
  #askedTo = 0;
  #begun = false;
  /** When a source that is not the last resort gave something, or had more to give. */
  #progressAt: number;

  /** For a blob of `bytes` bytes, wanted at `now`. */
  constructor(bytes: number, now: number) {
    this.bytes = bytes;
    this.#progressAt = now;
  }

  /** Bytes given out to be written, with those that were here before. */
  get written(): number {
    return this.#written;
  }

  /** The first `written` bytes are here; all else is to be asked for (again). */
  begin(written: number): void {
    this.#begun = true;
    this.#written = written;
    this.#askedTo = written;
    this.#pieces = [];
    for (const source of this.#sources.values()) source.owedBytes = 0;
  }

  /** Asks nothing until `begin`. What has come and was not in its turn is lost. */
  pause(): void {
    this.begin(this.#written);
    this.#begun = false;
    this.#givers.clear();
  }

  /** A source that may have some of it. Idempotent. */
  add(key: string, traits: SourceTraits, now: number): void {
    if (this.#sources.has(key)) return;
    const have = traits.isLast ? this.bytes : 0;
    const bytesPerMs = traits.isNear ? nearBytesPerMs : farBytesPerMs;
    const idle = { owedBytes: 0, heardAt: now, restsUntil: 0, strikes: 0, sampleBytes: 0, sampleFrom: now };
    this.#sources.set(key, { ...traits, have, bytesPerMs, isMeasured: false, ...idle });
  }

  /** Keys of the sources. */
  get sources(): readonly string[] {
    return [...this.#sources.keys()];
  }

  /** Keys of those whose bytes are among what has come. */
  get givers(): readonly string[] {
    return [...this.#givers];
  }

  /** It gave some of it, or was asked to. */
  uses(key: string): boolean {
    return this.#givers.has(key) || (this.#sources.get(key)?.owedBytes ?? 0) > 0;
  }

  /** It is gone, or not to be asked: what it owes is asked of others. */
  drop(key: string): void {
    this.#reopen(key);
    this.#sources.delete(key);
  }

  /** It has the first `have` bytes. */
  here(key: string, have: number, now: number): void {
    const source = this.#sources.get(key);
    if (source === undefined || source.isLast) return;
    if (have > source.have) this.#progressAt = now;
    source.have = Math.min(have, this.bytes);
  }

  /** It does not give what it was asked for; later perhaps. */
  refused(key: string, now: number): void {
    const source = this.#sources.get(key);
    if (source === undefined) return;
    this.#reopen(key);
    source.have = 0;
    this.#rest(source, now);
  }

  /** True when there is a source, besides the last resort, that may still give something. */
  hasPeers(now: number): boolean {
    return this.#peers(now).length > 0;
  }

  /** Bytes of a source. Those that are now in their turn, to be written after what was given out before. */
  take(
    key: string,
    { offset, data }: { readonly offset: number; readonly data: Uint8Array },
    now: number,
  ): Uint8Array[] {
    const piece = this.#pieces.find(({ source, at, end }) => source === key && at === offset && at < end);
    const source = this.#sources.get(key);
    if (piece === undefined || source === undefined || data.length === 0 || offset + data.length > piece.end) {
      this.strayParts += 1;
      return [];
    }
    this.#givers.add(key);
    piece.at += data.length;
    // What is not in its turn outlives the message it came in.
    piece.data.push(piece === this.#pieces[0] ? data : data.slice());
    source.owedBytes -= data.length;
    source.heardAt = now;
    source.strikes = 0;
    if (!source.isLast) this.#progressAt = now;
    measure(source, data.length, now);
    return this.#inTurn();
  }

  /** What to ask of whom now. */
  ask(now: number): Order[] {
    const orders: Order[] = [];
    if (!this.#begun) return orders;
    this.#releaseStalled(now);
    for (let piece = this.#openPiece(); piece !== null; piece = this.#openPiece()) {
      const chosen = this.#choose(piece, now);
      if (chosen === null) break;
      orders.push(this.#assign(piece, chosen, now));
    }
    const taken = orders.length === 0 ? this.#takeOver(now) : null;
    return taken === null ? orders : [taken];
  }

  // ------------------------------------------------------------------------------------------------- pieces

  #inTurn(): Uint8Array[] {
    const data: Uint8Array[] = [];
    for (let first = this.#pieces[0]; first !== undefined; first = this.#pieces[0]) {
      data.push(...first.data.splice(0));
      this.#written = first.at;
      if (first.at < first.end) break;
      this.#pieces.shift();
    }
    return data;
  }

  /** The first piece that is asked of nobody, or what follows the last one as far as the window goes. */
  #openPiece(): Piece | null {
    const open = this.#pieces.find(({ source, at, end }) => source === null && at < end);
    if (open !== undefined) return open;
    const end = Math.min(this.bytes, this.#askedTo + pieceBytesMax, this.#written + planWindowBytes);
    // A sliver at the end of the window would make slivers ever after.
    if (end - this.#askedTo < Math.min(pieceBytesMin, this.bytes - this.#askedTo) || end <= this.#askedTo) return null;
    const piece = { offset: this.#askedTo, end, at: this.#askedTo, source: null, data: [] };
    this.#pieces.push(piece);
    this.#askedTo = end;
    return piece;
  }

  #assign(piece: Piece, key: string, now: number): Order {
    const source = this.#sources.get(key);
    const end = Math.min(piece.end, source?.have ?? piece.end);
    this.#cut(piece, end);
    piece.source = key;
    if (source !== undefined) {
      if (source.owedBytes === 0) {
        source.heardAt = now;
        source.sampleFrom = now;
        source.sampleBytes = 0;
      }
      source.owedBytes += end - piece.at;
    }
    return { source: key, offset: piece.at, length: end - piece.at };
  }

  /** Ends a piece at `end`; what follows is open. */
  #cut(piece: Piece, end: number): void {
    if (end >= piece.end) return;
    const rest: Piece = { offset: end, end: piece.end, at: end, source: null, data: [] };
    this.#pieces.splice(this.#pieces.indexOf(piece) + 1, 0, rest);
    piece.end = end;
  }

  /** What a source owes is asked of nobody. */
  #reopen(key: string): void {
    for (const piece of [...this.#pieces]) if (piece.source === key && piece.at < piece.end) this.#reopenPiece(piece);
    const source = this.#sources.get(key);
    if (source !== undefined) source.owedBytes = 0;
  }

  /** What has come of the piece stays. */
  #reopenPiece(piece: Piece): Piece {
    if (piece.at > piece.offset && piece.data.length > 0) {
      this.#cut(piece, piece.at);
      const rest = this.#pieces[this.#pieces.indexOf(piece) + 1];
      if (rest !== undefined) return rest;
    }
    piece.source = null;
    return piece;
  }

  // ------------------------------------------------------------------------------------------------ sources

  #peers(now: number): Source[] {
    return [...this.#sources.values()].filter(({ isLast, restsUntil }) => !isLast && restsUntil <= now);
  }

  /** Who would bring a piece soonest. */
  #choose(piece: Piece, now: number): string | null {
    const peers = this.#peers(now);
    const leader = Math.min(...peers.filter(({ have }) => have > 0 && have < this.bytes).map(({ rank }) => rank));
    const lead = Math.min(leadBytesMax, Math.max(pieceBytesMax, this.bytes / 4));
    const lastMayHelp = this.#lastMayHelp(peers, now);
    let best: { readonly key: string; readonly ms: number; readonly rank: number } | null = null;
    for (const [key, source] of this.#sources) {
      const { have, rank, isLast } = source;
      if (isLast ? !lastMayHelp : source.restsUntil > now) continue;
      if (!this.#hasRoom(source, key) || !this.#canGive(source, piece)) continue;
      if (have < this.bytes && rank > leader && have - this.#written < lead) continue;
      const ms = (source.owedBytes + piece.end - piece.at) / source.bytesPerMs;
      if (best === null || ms < best.ms || (ms === best.ms && rank < best.rank)) best = { key, ms, rank };
    }
    return best?.key ?? null;
  }

  #canGive({ have }: Source, { at, end }: Piece): boolean {
    return have - at >= Math.min(pieceBytesMin, end - at, this.bytes - at) && have > at;
  }

  #hasRoom(source: Source, key: string): boolean {
    const most = Math.min(Math.max(source.bytesPerMs * inFlightMs, inFlightBytesMin), inFlightBytesMax);
    if (source.owedBytes >= most) return false;
    if (this.bytes >= parallelBytesMin) return true;
    return [...this.#sources].every(([other, { owedBytes }]) => other === key || owedBytes === 0);
  }

  #lastMayHelp(peers: readonly Source[], now: number): boolean {
    if (peers.length === 0) return true;
    const isUnderWay = peers.some(({ have }) => have > 0);
    const patienceMs = (isUnderWay ? sourceStallMs : firstSignMs) + (peers.length - 1) * patienceStepMs;
    if (now - this.#progressAt >= patienceMs) return true;
    const able = peers.filter(({ have }) => have > this.#written);
    return able.length > 0 && able.every(({ isMeasured, bytesPerMs }) => isMeasured && bytesPerMs < slowBytesPerMs);
  }

  /** The last resort may take its time, as long as nobody else has what it owes. */
  #releaseStalled(now: number): void {
    for (const [key, source] of this.#sources) {
      if (source.owedBytes === 0 || now - source.heardAt < sourceStallMs) continue;
      if (source.isLast && !this.#peers(now).some(({ have }) => have >= this.#owedTo(key))) continue;
      this.#reopen(key);
      if (source.isLast) continue;
      this.#rest(source, now);
      this.stalled.push(key);
    }
  }

  #owedTo(key: string): number {
    return Math.max(
      0,
      ...this.#pieces.filter(({ source, at, end }) => source === key && at < end).map(({ end }) => end),
    );
  }

  #rest(source: Source, now: number): void {
    source.strikes += 1;
    source.restsUntil = now + sourceRestMs * source.strikes;
  }

  /** The first piece is what all others wait for: from a slow source a much faster one with nothing to do takes it over. */
  #takeOver(now: number): Order | null {
    const first = this.#pieces[0];
    const slow = first?.source == null ? undefined : this.#sources.get(first.source);
    if (first === undefined || slow === undefined || !slow.isMeasured || slow.owedBytes === 0) return null;
    const leftMs = slow.owedBytes / slow.bytesPerMs;
    const length = first.end - first.at;
    for (const [key, source] of this.#sources) {
      if (source === slow || source.isLast || source.restsUntil > now || source.owedBytes > 0) continue;
      if (source.have < first.end || leftMs < inFlightMs + (4 * length) / source.bytesPerMs) continue;
      slow.owedBytes -= length;
      return this.#assign(this.#reopenPiece(first), key, now);
    }
    return null;
  }
}

/** A moving average, sampled over `rateMs` at least while the source owes something. */
function measure(source: Source, bytes: number, now: number): void {
  source.sampleBytes += bytes;
  const ms = now - source.sampleFrom;
  if (ms < rateMs) return;
  const sample = source.sampleBytes / ms;
  source.bytesPerMs = source.isMeasured ? 0.7 * source.bytesPerMs + 0.3 * sample : sample;
  source.isMeasured = true;
  source.sampleBytes = 0;
  source.sampleFrom = now;
}
