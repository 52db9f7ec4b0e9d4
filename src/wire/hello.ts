/**
 * What is said in clear before anything is trusted: a hello each way, and the reason when a side declines.
 *
 * Every frame of the handshake begins with a byte that names its kind. A hello has a fixed beginning that no later version may
 * change, so that any two versions can at least tell each other apart; what a later version adds behind it is ignored, but
 * bound into the handshake like the rest (both hellos, byte for byte, are the Noise prologue), so nobody on the path can
 * talk two nodes down to an older version unnoticed.
 *
 *   hello:   0, "octaskly" (8 bytes), version (2), oldest version understood (2), pattern (1: XX = 0, XXpsk3 = 1)
 *   noise:   1, a handshake message
 *   decline: 2, code (1)          not authentic: a hint for a sentence, worth no more than a broken connection
 *   accept:  3, an empty message sealed by the responder: proof to the initiator that the other side holds the secret
 */

import type { Pattern } from './noise.ts';

/** First byte of each handshake frame. */
export const frameKinds = { hello: 0, noise: 1, decline: 2, accept: 3 } as const;

/** Largest frame before a peer is authenticated, in bytes. */
export const handshakeFrameBytesMax = 1024;

export interface Hello {
  readonly version: number;
  readonly versionMin: number;
  readonly pattern: Pattern;
}

/** Why a side declines, in the order of their codes from 1. */
export const declineReasons = ['version_mismatch', 'wrong_secret', 'refused'] as const;
export type DeclineReason = (typeof declineReasons)[number];

const magic = new TextEncoder().encode('octaskly');
const helloBytes = 1 + magic.length + 5;
const patternCodes: readonly Pattern[] = ['XX', 'XXpsk3'];

/** The hello as a frame body. Versions are from 0 to 65,535. */
export function encodeHello(hello: Hello): Uint8Array {
  const body = new Uint8Array(helloBytes);
  const view = new DataView(body.buffer);
  body[0] = frameKinds.hello;
  body.set(magic, 1);
  view.setUint16(9, hello.version);
  view.setUint16(11, hello.versionMin);
  body[13] = patternCodes.indexOf(hello.pattern);
  return body;
}

/** The hello in a frame body; null when it is none of ours. `pattern` is null when this version does not know it. */
export function decodeHello(body: Uint8Array): (Omit<Hello, 'pattern'> & { readonly pattern: Pattern | null }) | null {
  if (body.length < helloBytes || body[0] !== frameKinds.hello) return null;
  if (magic.some((byte, i) => body[1 + i] !== byte)) return null;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return {
    version: view.getUint16(9),
    versionMin: view.getUint16(11),
    pattern: patternCodes[view.getUint8(13)] ?? null,
  };
}

/** Why two versions cannot speak with each other, as a sentence; null when they can. */
export function versionMismatch(
  ours: Pick<Hello, 'version' | 'versionMin'>,
  theirs: Pick<Hello, 'version' | 'versionMin'>,
): string | null {
  const both = `this side speaks protocol ${spoken(ours)}, the other ${spoken(theirs)}`;
  if (theirs.version < ours.versionMin) return `Cannot talk to an older octaskly: ${both}. Update the other side.`;
  if (ours.version < theirs.versionMin) return `Cannot talk to a newer octaskly: ${both}. Update this side.`;
  return null;
}

function spoken(side: Pick<Hello, 'version' | 'versionMin'>): string {
  return side.version === side.versionMin ? `${side.version}` : `${side.versionMin} to ${side.version}`;
}

/** A decline as a frame body. */
export function encodeDecline(reason: DeclineReason): Uint8Array {
  return Uint8Array.of(frameKinds.decline, declineReasons.indexOf(reason) + 1);
}

/** The reason in a decline; `refused` for codes of later versions. */
export function decodeDecline(body: Uint8Array): DeclineReason {
  return declineReasons[(body[1] ?? 0) - 1] ?? 'refused';
}
