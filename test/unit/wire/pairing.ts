/** Two sessions and the wire between them, in memory: what the tests of `session.ts` build on. */

import { expect } from 'bun:test';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { dispatcherDialect, workerDialect } from '../../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import { Session, type SessionEnd, type SessionOptions } from '../../../src/wire/session.ts';

/** One end of a conversation, with all that came out of it. */
interface End<Sends, Receives> {
  readonly session: Session<Sends, Receives>;
  /** Frames not yet delivered. */
  readonly out: Uint8Array[];
  readonly messages: Receives[];
  readonly ends: SessionEnd[];
  remoteKey: string | null;
}

type Options<S, R> = Partial<SessionOptions<S, R>>;
type WorkerEnd = End<WorkerMessage, DispatcherMessage>;
type DispatcherEnd = End<DispatcherMessage, WorkerMessage>;

const psk = new Uint8Array(32).fill(3);
export const keys = { worker: nativeCrypto.generateKeypair(), dispatcher: nativeCrypto.generateKeypair() };

function makeEnd<S, R>(
  required: Pick<SessionOptions<S, R>, 'role' | 'dialect' | 'staticKeypair'>,
  options: Options<S, R>,
) {
  const out: Uint8Array[] = [];
  const messages: R[] = [];
  const ends: SessionEnd[] = [];
  const session: Session<S, R> = new Session<S, R>({
    crypto: nativeCrypto,
    psk,
    sink: {
      transmit: (frame) => out.push(frame),
      onOpen(remoteKey) {
        end.remoteKey = remoteKey.toHex();
      },
      onMessage: (message) => messages.push(message),
      onEnd: (reason) => ends.push(reason),
    },
    ...required,
    ...options,
  });
  const end: End<S, R> = { session, out, messages, ends, remoteKey: null };
  return end;
}

/** A worker's and a dispatcher's session, started. */
export function makePair(
  worker: Options<WorkerMessage, DispatcherMessage> = {},
  dispatcher: Options<DispatcherMessage, WorkerMessage> = {},
): { readonly worker: WorkerEnd; readonly dispatcher: DispatcherEnd } {
  const sides = {
    worker: makeEnd({ role: 'initiator' as const, dialect: workerDialect, staticKeypair: keys.worker }, worker),
    dispatcher: makeEnd(
      { role: 'responder' as const, dialect: dispatcherDialect, staticKeypair: keys.dispatcher },
      dispatcher,
    ),
  };
  sides.worker.session.start();
  sides.dispatcher.session.start();
  return sides;
}

export type Sides = ReturnType<typeof makePair>;

/** Delivers frames in turn until both are silent; `path` may alter, drop or add frames. */
export function settle(
  sides: Sides,
  path: (frame: Uint8Array, index: number) => readonly Uint8Array[] = (f) => [f],
): void {
  let index = 0;
  while (sides.worker.out.length + sides.dispatcher.out.length > 0) {
    const [from, to] =
      sides.worker.out.length > 0 ? [sides.worker, sides.dispatcher] : [sides.dispatcher, sides.worker];
    const frame = from.out.shift();
    if (frame === undefined) continue;
    for (const delivered of path(frame, index)) to.session.receive(delivered);
    index += 1;
  }
}

/** A pair after a good handshake. */
export function opened(): Sides {
  const sides = makePair();
  settle(sides);
  expect(sides.worker.session.phase).toBe('open');
  expect(sides.dispatcher.session.phase).toBe('open');
  return sides;
}

/** Codes of the ends that a side was told. */
export const codes = (end: { readonly ends: readonly SessionEnd[] }) => end.ends.map((reason) => reason.code);
