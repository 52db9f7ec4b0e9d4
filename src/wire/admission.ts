/**
 * By what a node asks to be admitted, and by what it was: the words that hello, handshake and the `Links` port share, and
 * the six digits and the commitment of a handshake without a key.
 *
 * Why a commitment (after Vaudenay, "Secure Communications over Insecure Channels Based on Short Authenticated Strings",
 * 2005): two people compare six digits drawn from the handshake hash. Somebody in the middle runs one handshake with each
 * side, and if it could still change its part of one of them when it knows the other's digits, a million tries would make
 * both show the same. So the dialler commits in message 1 to a nonce and its static key and shows them in message 3:
 *   - as a dialler, the one in the middle is bound before it sees the listener's fresh key;
 *   - as a listener, it is bound (message 2) before it sees the dialler's nonce, on which the digits depend.
 * What is left is one guess in a million for each handshake that a person looks at.
 */

import { concat, type NoiseCrypto } from './noise.ts';

/** How the dialling side shows that it may join. All keys are 32 bytes; public keys in hex. */
export type Proof =
  /** It holds the cluster secret. */
  | { readonly by: 'secret'; readonly psk: Uint8Array }
  /** It was let in before, and speaks to this dispatcher only. */
  | { readonly by: 'credential'; readonly psk: Uint8Array; readonly dispatcherKey: string }
  /** It has a join token of this dispatcher. */
  | (InviteClaim & { readonly psk: Uint8Array; readonly dispatcherKey: string })
  /** It is a member of the same cluster. It speaks to the node with this key only; null = to whichever answers. */
  | { readonly by: 'peer'; readonly psk: Uint8Array; readonly peerKey: string | null }
  /** It asks to be approved (Noise XX without a pre-shared key). */
  | { readonly by: 'nothing' };

/** Which join token it is that somebody has. */
export interface InviteClaim {
  readonly by: 'invite';
  /** 16 hex digits. */
  readonly inviteId: string;
  /** 64 hex digits: the sums that stand in the token, of which its secret is derived too; null for a token without. */
  readonly sums: string | null;
}

/** What a dialler says in clear of its proof. Every proof is a claim; a claim shows nothing. */
export type Claim = { readonly by: 'nothing' | 'secret' | 'credential' | 'peer' } | InviteClaim;

/** By what a link was authenticated. `keyId` names the cluster secret behind it; on the dialling side it is ''. */
export type Admission =
  | { readonly by: 'secret' | 'credential' | 'peer'; readonly keyId: string }
  | { readonly by: 'invite'; readonly inviteId: string; readonly keyId: string }
  /** The six digits that both sides show when nobody is in between. */
  | { readonly by: 'nothing'; readonly code: string };

/** What a claim became once it was shown to be true. */
export function admissionOf(claim: Claim, shown: { readonly keyId: string; readonly code: string }): Admission {
  switch (claim.by) {
    case 'nothing':
      return { by: 'nothing', code: shown.code };
    case 'invite':
      return { by: 'invite', inviteId: claim.inviteId, keyId: shown.keyId };
    default:
      return { by: claim.by, keyId: shown.keyId };
  }
}

/** Bytes of the nonce a dialler without a key commits to, and of the commitment. */
export const nonceBytes = 32;
export const commitmentBytes = 32;

const utf8 = new TextEncoder();
const commitmentLabel = utf8.encode('octaskly approval commitment v1');
const codeLabel = utf8.encode('octaskly approval code v1');

/** Binds to `nonce` (32 bytes) and a static public key (32 bytes) without telling either. */
export function commitmentTo(crypto: NoiseCrypto, nonce: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return crypto.sha256(concat(commitmentLabel, nonce, publicKey));
}

/** The six digits of a finished handshake, from its hash. */
export function approvalCode(crypto: NoiseCrypto, handshakeHash: Uint8Array): string {
  const hash = crypto.sha256(concat(codeLabel, handshakeHash));
  const first = new DataView(hash.buffer, hash.byteOffset, 8).getBigUint64(0);
  return (first % 1_000_000n).toString().padStart(6, '0');
}

/** A public key as people compare it: `SHA256:` and base64 without padding, as ssh writes it. */
export function fingerprint(crypto: NoiseCrypto, publicKey: Uint8Array): string {
  return `SHA256:${crypto.sha256(publicKey).toBase64({ omitPadding: true })}`;
}
