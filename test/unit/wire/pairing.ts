/** Two sessions and the wire between them, in memory: what the tests of `session.ts` build on. */

import { expect } from 'bun:test';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import type { Admission, Proof } from '../../../src/wire/admission.ts';
import { dispatcherDialect, workerDialect } from '../../../src/wire/dialects.ts';
import type { DispatcherMessage, WorkerMessage } from '../../../src/wire/messages.ts';
import type { Gate, Side } from '../../../src/wire/opening.ts';
import { Session, type SessionEnd, type SessionOptions } from '../../../src/wire/session.ts';

/** One end of a conversation, with all that came out of it. */
interface End<Sends extends { readonly kind: string }, Receives extends { readonly kind: string }> {
  readonly session: Session<Sends, Receives>;
  /** Frames not yet delivered. */
  readonly out: Uint8Array[];
  readonly messages: Receives[];
  readonly ends: SessionEnd[];
  remoteKey: string | null;
  admission: Admission | null;
}

type Options<S, R> = Partial<SessionOptions<S, R>>;
type WorkerEnd = End<WorkerMessage, DispatcherMessage>;
type DispatcherEnd = End<DispatcherMessage, WorkerMessage>;

export const psk = new Uint8Array(32).fill(3);
export const keys = { worker: nativeCrypto.generateKeypair(), dispatcher: nativeCrypto.generateKeypair() };

/** The side of a worker with this proof; of one that holds the secret when none is given. */
export function dialler(proof: Proof = { by: 'secret', psk }): Side {
  return { role: 'initiator', proof };
}

/** The side of a dispatcher that takes everybody with the secret, and who has nothing to show. */
export function listener(gate: Partial<Gate> = {}): Side {
  return {
    role: 'responder',
    gate: {
      admits: ['nothing', 'secret', 'credential', 'invite', 'peer'],
      candidates: () => [{ psk, keyId: 'present' }],
      ...gate,
    },
  };
}

function makeEnd<S extends { readonly kind: string }, R extends { readonly kind: string }>(
  required: Pick<SessionOptions<S, R>, 'side' | 'dialect' | 'staticKeypair'>,
  options: Options<S, R>,
) {
  const out: Uint8Array[] = [];
  const messages: R[] = [];
  const ends: SessionEnd[] = [];
  const session: Session<S, R> = new Session<S, R>({
    crypto: nativeCrypto,
    sink: {
      transmit: (frame) => out.push(frame),
      onOpen(remoteKey, admission) {
        end.remoteKey = remoteKey.toHex();
        end.admission = admission;
      },
      onMessage: (message) => messages.push(message),
      onEnd: (reason) => ends.push(reason),
    },
    ...required,
    ...options,
  });
  const end: End<S, R> = { session, out, messages, ends, remoteKey: null, admission: null };
  return end;
}

/** A worker's and a dispatcher's session, started. */
export function makePair(
  worker: Options<WorkerMessage, DispatcherMessage> = {},
  dispatcher: Options<DispatcherMessage, WorkerMessage> = {},
): { readonly worker: WorkerEnd; readonly dispatcher: DispatcherEnd } {
  const sides = {
    worker: makeEnd({ side: dialler(), dialect: workerDialect, staticKeypair: keys.worker }, worker),
    dispatcher: makeEnd({ side: listener(), dialect: dispatcherDialect, staticKeypair: keys.dispatcher }, dispatcher),
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
export function opened(...options: Parameters<typeof makePair>): Sides {
  const sides = makePair(...options);
  settle(sides);
  expect(sides.worker.session.phase).toBe('open');
  expect(sides.dispatcher.session.phase).toBe('open');
  return sides;
}

/** Codes of the ends that a side was told. */
export const codes = (end: { readonly ends: readonly SessionEnd[] }) => end.ends.map((reason) => reason.code);
