/**
 * Links between members of a cluster: the same links as to the dispatcher, with the peers' dialect, and a gate that takes
 * nobody but those on the roster, by a key that every member has.
 */

import type { PeerLinks } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import { peerDialects } from '../wire/dialects.ts';
import type { KeyPair } from '../wire/noise.ts';
import { nativeCrypto } from './crypto.ts';
import { createLinksOf, type LinksOptions } from './links.ts';

export interface PeerLinksOptions {
  readonly staticKeypair: KeyPair;
  /** Pre-shared keys by which a peer may show that it is a member, asked for anew each time; the present one first. */
  psks(): readonly Uint8Array[];
  /** A node with this public key (hex) is on the roster. */
  admits(publicKey: string): boolean;
  readonly log: Log;
  readonly limits?: LinksOptions['limits'];
}

/** Fewer than at a dispatcher: whoever knocks at a worker is one of a few. One machine may start dozens of `run --p2p`. */
const peerStrangers = { unauthenticatedMax: 128, unauthenticatedPerAddressMax: 64 };

/** The links of one node with its peers. */
export function createPeerLinks({ staticKeypair, psks, admits, log, limits }: PeerLinksOptions): PeerLinks {
  return createLinksOf(peerDialects, {
    ...{ crypto: nativeCrypto, staticKeypair, log, limits: { ...peerStrangers, ...limits } },
    gate: {
      admits: ['peer'],
      candidates: (_claim, remoteKey) => (admits(remoteKey.toHex()) ? psks().map((psk) => ({ psk, keyId: '' })) : []),
    },
  });
}
