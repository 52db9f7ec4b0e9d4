/**
 * What is said in clear before anything is trusted: a hello each way, and the reason when a side declines.
 *
 * Every frame of the handshake begins with a byte that names its kind. A hello has a fixed beginning that no later version may
 * change, so that any two versions can at least tell each other apart; what a later version adds behind it is ignored, but
 * bound into the handshake like the rest (both hellos, byte for byte, are the Noise prologue), so nobody on the path can
 * talk two nodes down to an older version unnoticed.
 *
 *   hello:   0, "octaskly" (8 bytes), version (2), oldest version understood (2), claim (1), for an invite its id (8)
 *   noise:   1, a handshake message
 *   decline: 2, code (1)          not authentic: a hint for a sentence, worth no more than a broken connection
 *   accept:  3, an empty message sealed by the responder: proof to the initiator that the other side holds the key
 *
 * The claim says by what the dialler asks to be admitted and so which pattern is spoken: nothing = 0 (XX), and by XXpsk3
 * secret = 1, credential = 2, invite = 3, peer = 4, an invite whose token holds sums = 5 (behind its id: these, 32). A
 * listener claims nothing.
 */

import type { Claim } from './admission.ts';

/** First byte of each handshake frame. */
export const frameKinds = { hello: 0, noise: 1, decline: 2, accept: 3 } as const;

/** Largest frame before a peer is authenticated, in bytes. */
export const handshakeFrameBytesMax = 1024;

/** Largest frame on a link of a node that is not a member yet, in bytes: it asks for a credential, and gets an answer. */
export const enrolmentFrameBytesMax = 16 * 1024;

export interface Hello {
  readonly version: number;
  readonly versionMin: number;
  readonly claim: Claim;
}

/** Why a side declines, in the order of their codes from 1. */
export const declineReasons = ['version_mismatch', 'wrong_secret', 'refused'] as const;
export type DeclineReason = (typeof declineReasons)[number];

const magic = new TextEncoder().encode('octaskly');
const helloBytes = 1 + magic.length + 5;
const inviteIdBytes = 8;
const inviteSumsBytes = 32;
const claimCodes = ['nothing', 'secret', 'credential', 'invite', 'peer', 'inviteWithSums'] as const;

/** The hello as a frame body. Versions are from 0 to 65,535; an invite's id has 16 hex digits, its sums have 64. */
export function encodeHello({ version, versionMin, claim }: Hello): Uint8Array {
  const told = Uint8Array.fromHex(claim.by === 'invite' ? `${claim.inviteId}${claim.sums ?? ''}` : '');
  const body = new Uint8Array(helloBytes + told.length);
  const view = new DataView(body.buffer);
  body[0] = frameKinds.hello;
  body.set(magic, 1);
  view.setUint16(9, version);
  view.setUint16(11, versionMin);
  body[13] = claimCodes.indexOf(claim.by === 'invite' && claim.sums !== null ? 'inviteWithSums' : claim.by);
  body.set(told, helloBytes);
  return body;
}

/** The hello in a frame body; null when it is none of ours. `claim` is null when this version does not understand it. */
export function decodeHello(body: Uint8Array): (Omit<Hello, 'claim'> & { readonly claim: Claim | null }) | null {
  if (body.length < helloBytes || body[0] !== frameKinds.hello) return null;
  if (magic.some((byte, i) => body[1 + i] !== byte)) return null;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return {
    version: view.getUint16(9),
    versionMin: view.getUint16(11),
    claim: claimIn(body),
  };
}

function claimIn(body: Uint8Array): Claim | null {
  const by = claimCodes[body[helloBytes - 1] ?? claimCodes.length];
  if (by === undefined) return null;
  if (by !== 'invite' && by !== 'inviteWithSums') return { by };
  const sumsAt = helloBytes + inviteIdBytes;
  const end = sumsAt + (by === 'invite' ? 0 : inviteSumsBytes);
  if (body.length < end) return null;
  const inviteId = body.subarray(helloBytes, sumsAt).toHex();
  return { by: 'invite', inviteId, sums: by === 'invite' ? null : body.subarray(sumsAt, end).toHex() };
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
