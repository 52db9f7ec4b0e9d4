/**
 * One QUIC connection as a `Carrier`. The dialler opens the stream of a lane with what it writes there first; until then
 * what the listener writes to that lane waits. Where connections come from is in `quic.ts`.
 *
 *   finish   every lane is flushed, then every stream ended (FIN); when the peer has ended its own, or `lingerMs` later,
 *            the connection closes. So nothing written before is cut off.
 *   a peer   that ended all streams it uses has finished; one that ends some of them and then is silent for
 *            `stallTimeoutMs` is cut off.
 */

import type { QuicSession, QuicStream } from 'node:quic';
import { reasonOf } from '../base/errors.ts';
import type { Carrier, CarrierEnd, CarrierHandlers } from '../ports/transport.ts';
import { type Lane, lanes } from '../wire/lanes.ts';
import { type Endpoint, formatAddress } from './endpoints.ts';
import { Outflow } from './outflow.ts';
import type { CarrierLimits } from './tcp.ts';

/** Where a writer of the runtime tells of room. */
const drainable: unique symbol = Symbol.for('Stream.drainableProtocol');

/** What is used of a stream's writer. */
interface Writer {
  /** Bytes it has room for; null = closed. */
  readonly desiredSize: number | null;
  writeSync(chunk: Uint8Array): boolean;
  endSync(): number;
  /** Resolves when there is room again; null when there is, or never will be. */
  [drainable](): Promise<unknown> | null;
}

/** A lane and its stream. */
interface Track {
  readonly outflow: Outflow;
  readonly lane: Lane;
  /** Null until there is a stream. */
  writer: Writer | null;
  /** The dialler has begun to open it. */
  isOpening: boolean;
  /** Everything that was to be sent has left. */
  isFlushed: boolean;
  isEndedByPeer: boolean;
}

export class QuicCarrier implements Carrier {
  readonly lanes: readonly Lane[] = lanes;
  remote = '';
  remoteHost = '';
  readonly #session: QuicSession;
  readonly #role: 'dialler' | 'listener';
  readonly #limits: CarrierLimits;
  readonly #tracks: ReadonlyMap<Lane, Track>;
  #handlers: CarrierHandlers | null = null;
  /** Streams that came before `open`. */
  readonly #early: QuicStream[] = [];
  #outcome: CarrierEnd | null = null;
  #finishing = false;
  /** The streams are ended, the other side's turn has come. */
  #ending = false;
  #closed = false;
  #endTimer: ReturnType<typeof setTimeout> | null = null;
  #onGone: () => void = () => {};

  constructor(
    session: QuicSession,
    { role, limits }: { readonly role: 'dialler' | 'listener'; readonly limits: CarrierLimits },
  ) {
    this.#session = session;
    this.#role = role;
    this.#limits = limits;
    this.#tracks = new Map(lanes.map((lane) => [lane, this.#newTrack(lane)]));
    session.onstream = (stream) => {
      stream.closed.catch(() => {});
      if (this.#handlers === null) this.#early.push(stream);
      else void this.#read(stream, null);
    };
    session.closed.then(
      () => this.#gone('The connection was lost.'),
      (error: unknown) => this.#gone(lossDetail(error)),
    );
  }

  /** Once, when the connection is gone, whether it was ever open or not. */
  whenGone(callback: () => void): void {
    this.#onGone = callback;
  }

  /** The handshake of the transport is complete. */
  open(peer: Endpoint, take: (carrier: Carrier) => CarrierHandlers): void {
    if (this.#closed) return;
    this.remoteHost = peer.host;
    this.remote = formatAddress(peer);
    const handlers = take(this);
    this.#handlers = handlers;
    if (this.#outcome !== null) handlers.onClose(this.#outcome);
    else for (const stream of this.#early.splice(0)) void this.#read(stream, null);
  }

  congested(lane: Lane): boolean {
    return this.#tracks.get(lane)?.outflow.congested ?? false;
  }

  write(lane: Lane, bytes: Uint8Array): void {
    this.#tracks.get(lane)?.outflow.push(bytes);
  }

  finish(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    for (const { outflow } of this.#tracks.values()) outflow.finish();
  }

  cut(end: CarrierEnd): void {
    if (this.#closed) return;
    this.#outcome ??= end;
    // With a code, so that the other side is told.
    this.#session.destroy(undefined, { code: 0, type: 'application' });
    this.#gone(end.detail);
  }

  #newTrack(lane: Lane): Track {
    const track: Track = {
      outflow: new Outflow(this.#limits, {
        take: (buffer, start, length) => this.#send(track, buffer.subarray(start, start + length)),
        onDrain: () => this.#handlers?.onDrain(lane),
        onFlushed: () => {
          track.isFlushed = true;
          this.#endStreams();
        },
        onStall: (detail) => this.cut({ cause: 'stalled', detail }),
      }),
      lane,
      writer: null,
      isOpening: false,
      isFlushed: false,
      isEndedByPeer: false,
    };
    return track;
  }

  /** Hands bytes to the stream of a lane; returns how many it took, negative when it is closed. */
  #send(track: Track, bytes: Uint8Array): number {
    const { writer } = track;
    if (writer === null) {
      if (this.#role === 'dialler' && !track.isOpening) void this.#openStream(track.lane, track);
      return 0;
    }
    let taken = 0;
    while (taken < bytes.length) {
      const room = writer.desiredSize;
      if (room === null) return -1;
      const chunk = bytes.subarray(taken, taken + room);
      if (chunk.length === 0 || !writer.writeSync(chunk)) break;
      taken += chunk.length;
    }
    if (taken < bytes.length) this.#awaitRoom(track, writer);
    return taken;
  }

  #awaitRoom(track: Track, writer: Writer): void {
    const again = (): void => track.outflow.drained();
    // Null: there was room again in between, or the stream is closed, which the next try finds out.
    const room = writer[drainable]();
    if (room === null) setTimeout(again, 0);
    else room.then(again, () => {});
  }

  async #openStream(lane: Lane, track: Track): Promise<void> {
    track.isOpening = true;
    try {
      const stream = await this.#session.createBidirectionalStream();
      stream.closed.catch(() => {});
      if (this.#closed) return;
      stream.writer.writeSync(Uint8Array.of(lanes.indexOf(lane)));
      this.#attach(track, stream);
      void this.#read(stream, track);
    } catch (error) {
      this.cut({ cause: 'lost', detail: lossDetail(error) });
    }
  }

  #attach(track: Track, stream: QuicStream): void {
    track.writer = stream.writer as unknown as Writer;
    track.outflow.drained();
    if (this.#ending) track.writer.endSync();
  }

  /** Takes in what comes over a stream. One of the dialler's names its lane first. */
  async #read(stream: QuicStream, ofTrack: Track | null): Promise<void> {
    let track = ofTrack;
    const incoming = stream[Symbol.asyncIterator]();
    for (;;) {
      // What a handler throws is our own mistake and not caught here.
      const next = await incoming.next().catch((error: unknown) => ({ error }));
      if (this.#closed) return;
      if ('error' in next) {
        this.cut(this.#finishedEnd() ?? { cause: 'lost', detail: lossDetail(next.error) });
        return;
      }
      if (next.done === true) break;
      for (const chunk of next.value) {
        const bytes = track === null ? chunk.subarray(1) : chunk;
        track ??= this.#trackNamed(chunk[0], stream);
        if (track === null) return;
        if (bytes.length > 0) this.#received(track, bytes);
      }
    }
    if (track !== null) this.#laneEnded(track);
  }

  #trackNamed(head: number | undefined, stream: QuicStream): Track | null {
    const lane = lanes[head ?? lanes.length];
    const track = lane === undefined ? undefined : this.#tracks.get(lane);
    if (track === undefined || track.writer !== null || this.#role === 'dialler') {
      this.cut({ cause: 'lost', detail: 'The other side opened a stream that is no lane, or one twice.' });
      return null;
    }
    this.#attach(track, stream);
    return track;
  }

  #received({ lane }: Track, bytes: Uint8Array): void {
    if (this.#finishing || this.#closed) return;
    if (this.#endTimer !== null) this.#watchEnd();
    this.#handlers?.onData(lane, bytes);
  }

  #laneEnded(track: Track): void {
    track.isEndedByPeer = true;
    // The dialler opens every lane before it ends them, so nothing of a late one is lost.
    const used = this.#role === 'listener' ? [...this.#tracks.values()] : this.#opened();
    if (used.every(({ isEndedByPeer }) => isEndedByPeer)) {
      this.cut(this.#finishedEnd() ?? { cause: 'ended_by_peer', detail: 'The other side hung up.' });
    } else if (!this.#ending) {
      this.#watchEnd();
    }
  }

  #opened(): readonly Track[] {
    return [...this.#tracks.values()].filter(({ isOpening }) => isOpening);
  }

  /** Whoever ended one lane has to end the others, or to say something on them. */
  #watchEnd(): void {
    const { stallTimeoutMs } = this.#limits;
    const detail = `The other side ended a part of the connection and was silent for ${stallTimeoutMs / 1000} s.`;
    this.#endAfter(stallTimeoutMs, { cause: 'lost', detail });
  }

  /** Everything was handed over: ends the streams and waits for the other side to do so. */
  #endStreams(): void {
    if (this.#finishedEnd() === null || this.#ending) return;
    this.#ending = true;
    for (const track of this.#tracks.values()) {
      if (track.writer !== null) track.writer.endSync();
      else if (this.#role === 'dialler' && !track.isOpening) void this.#openStream(track.lane, track);
    }
    this.#endAfter(this.#limits.lingerMs, finished);
  }

  #endAfter(timeoutMs: number, end: CarrierEnd): void {
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => this.cut(end), timeoutMs);
  }

  #finishedEnd(): CarrierEnd | null {
    return this.#finishing && [...this.#tracks.values()].every(({ isFlushed }) => isFlushed) ? finished : null;
  }

  #gone(detail: string): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    for (const { outflow } of this.#tracks.values()) outflow.stop();
    this.#outcome ??= this.#finishedEnd() ?? { cause: 'lost', detail };
    this.#onGone();
    this.#handlers?.onClose(this.#outcome);
  }
}

const finished: CarrierEnd = { cause: 'finished', detail: 'Ended from this side.' };

function lossDetail(error: unknown): string {
  return `The connection was lost: ${reasonOf(error)}.`;
}
